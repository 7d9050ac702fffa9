// Streams, events and memory of the simulated GPU: when the work that streams have been given is done.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/simt/memory_use.h"

namespace simt {

/// When streams do their work: 0, at the call that gives it; 1, as late as somebody waits for it; every other value is
/// another shuffled order, in which each stream has a pace of its own. What streams and events forbid never happens.
extern unsigned stream_order;
/// Returns one of 0 to count - 1: 0 where streams are not shuffled.
unsigned chosen(unsigned count);

/// A mutex that a thread may lock several times, and leave to others for a while.
class SharedGpu {
 public:
  void lock();
  void unlock();
  /// Lets the other threads go on until one of them calls `notify`. Throws Error if two minutes pass before. The caller
  /// has locked it.
  void wait();
  void notify();

 private:
  std::mutex mutex_;
  std::condition_variable free_, changed_;
  std::thread::id owner_;
  unsigned depth_ = 0;
  std::uint64_t changes_ = 0;
};

class Stream;

/// What a stream does together with others, part by part; what was added behind it waits until all is done.
class Joint {
 public:
  virtual ~Joint() = default;
  /// Whether no part can be done now.
  virtual bool is_blocked() const = 0;
  /// While it is blocked: the stream that has to go on first; null: what is missing is a call of another thread. Throws
  /// Error if it will never come.
  virtual Stream* awaited() const = 0;
  /// Does a part; returns whether it was the last.
  virtual bool advance() = 0;
  /// Called once if the rest will never be done.
  virtual void drop(const std::string& why) = 0;
};

/// A point in a stream's work that others can wait for.
struct Mark {
  Stream* stream = nullptr;
  bool reached = false;
  std::string failure = {};  ///< why what is before it will never be done
};
/// Holds the mark that it was recorded at last; null: it never was, so that nobody waits for it.
struct Event {
  std::shared_ptr<Mark> mark;
};

/// Does its work in the order in which it was given. When a joint cannot go on, the stream has failed: it drops its
/// work, and all that it is given later. So do streams that wait for it.
class Stream {
 public:
  Stream();
  /// Does what is left, but for what waits for other threads.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void add(std::function<void()> work);
  void record(Event& event);
  /// What is added from now on happens after what the event was recorded behind.
  void wait_for(const Event& event);
  void add(std::shared_ptr<Joint> joint);
  /// Does all that was added. Throws Error if the stream has failed.
  void synchronize();
  /// Does what can be done without a call of another thread; does not throw because the stream has failed.
  void advance_freely();
  /// Does all that was added, unless the stream fails.
  void finish();
  /// Drops what is left, and all that is added later; `synchronize` throws Error(why).
  void fail(const std::string& why);

  bool has_work() const { return !items_.empty(); }
  /// Whether the next item waits for something that has not happened.
  bool is_blocked() const;
  /// Does the next item, or a part of it, or, where that waits for another stream, one of that stream's; returns false
  /// if another thread has to call something first.
  bool advance();
  bool belongs_to_this_thread() const { return owner_ == std::this_thread::get_id(); }

 private:
  struct Item {
    std::function<void()> work = {};
    std::shared_ptr<Mark> mark = {}, awaited = {};
    std::shared_ptr<Joint> joint = {};
  };
  void add(Item item);
  bool advance_blocked();

  std::deque<Item> items_;
  const std::thread::id owner_ = std::this_thread::get_id();
  bool in_chain_ = false;  ///< of streams of which each waits for the next
  std::string failure_;    ///< empty: it has not failed
};

/// Returns when the event has been reached.
void synchronize(const Event& event);
/// Does the work of all streams. For other threads' calls it waits only where one of this thread's streams does: every
/// thread has a GPU of its own.
void synchronize_all();

/// What a stream does later.
struct Graph {
  Stream* recorded_from = nullptr;
  std::vector<std::function<void()>> work;
};
/// Where this thread's work for one of the streams is noted instead of done; null: nowhere.
extern thread_local std::unique_ptr<Graph> recording;

/// Notes `work`, or adds it to the stream.
void enqueue(Stream* stream, std::function<void()> work);
/// Whether this thread notes what it gives to `stream`.
inline bool records(const Stream* stream) { return recording && recording->recorded_from == stream; }
/// Adds what was noted, which lives until that has been done.
void launch(const std::shared_ptr<const Graph>& graph, Stream* stream);

enum class Memory { kPageable, kPinned, kDevice };
/// Memory filled with 0xff, aligned as on a GPU; null if there is none.
void* allocate(std::size_t bytes, Memory kind);
void release(void* p);
Memory memory_at(const void* p);
/// The GPU's memory that is allocated, by address.
std::vector<MemoryRange> device_memory();
/// Bytes of it.
std::size_t device_bytes();

/// As cudaMemcpyAsync: pageable memory is read at the call, and has been written when it returns; other memory is read
/// and written when the stream comes to it.
void copy(Stream* stream, void* to, const void* from, std::size_t bytes);
/// Sets bytes when the stream comes to it.
void fill(Stream* stream, void* p, int byte, std::size_t bytes);

/// Held while work is done; by others too that change what it reads.
extern SharedGpu gpu;

}  // namespace simt
