// Streams, events and memory of the simulated GPU: when the work that streams have been given is done.
#pragma once
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace simt {

/// When streams do their work: 0, at the call that gives it; 1, as late as somebody waits for it; every other value is
/// another shuffled order, in which each stream has a pace of its own. What streams and events forbid never happens.
extern unsigned stream_order;

class Stream;

/// A point in a stream's work that others can wait for.
struct Mark {
  Stream* stream = nullptr;
  bool reached = false;
};
/// Holds the mark that it was recorded at last; null: it never was, so that nobody waits for it.
struct Event {
  std::shared_ptr<Mark> mark;
};

/// Does its work in the order in which it was given.
class Stream {
 public:
  Stream();
  /// Does what is left.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void add(std::function<void()> work);
  void record(Event& event);
  /// What is added from now on happens after what the event was recorded behind.
  void wait_for(const Event& event);
  /// Does all that was added.
  void synchronize();

  bool has_work() const { return !items_.empty(); }
  /// Whether the next item waits for a mark that has not been reached.
  bool is_blocked() const;
  /// Does the next item or, where that waits for another stream, one of that stream's.
  void advance();

 private:
  struct Item {
    std::function<void()> work;
    std::shared_ptr<Mark> mark, awaited;
  };
  void add(Item item);

  std::deque<Item> items_;
};

/// Returns when the event has been reached.
void synchronize(const Event& event);
/// Does the work of all streams.
void synchronize_all();

/// What a stream does later, and the memory that it uses.
struct Graph {
  Stream* recorded_from = nullptr;
  std::vector<std::function<void()>> work;
  std::vector<std::shared_ptr<void>> memory;
};
/// Where this thread's work for one of the streams is noted instead of done; null: nowhere.
extern thread_local std::unique_ptr<Graph> recording;

/// Notes `work`, or adds it to the stream.
void enqueue(Stream* stream, std::function<void()> work);
/// Whether this thread notes what it gives to `stream`.
inline bool records(const Stream* stream) { return recording && recording->recorded_from == stream; }
/// Adds what was noted; it, and its memory, live until that has been done.
void launch(const std::shared_ptr<const Graph>& graph, Stream* stream);

enum class Memory { kPageable, kPinned, kDevice };
/// Memory filled with 0xff, aligned as on a GPU; null if there is none.
void* allocate(std::size_t bytes, Memory kind);
void release(void* p);
Memory memory_at(const void* p);
/// Bytes of the GPU's memory that are allocated.
std::size_t device_bytes();

/// As cudaMemcpyAsync: pageable memory is read at the call, and has been written when it returns; other memory is read
/// and written when the stream comes to it.
void copy(Stream* stream, void* to, const void* from, std::size_t bytes);

/// Held while work is done; by others too that change what it reads.
extern std::recursive_mutex gpu;

}  // namespace simt
