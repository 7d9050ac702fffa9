// What kernels ask of a GPU's memory, request by request of their warps. Only those of sparsepush_counted_cuda tell.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/simt/simt.h"

namespace simt {

inline constexpr std::uintptr_t kSectorBytes = 32;
/// How far back, in sectors that its requests touched, a block finds in the first level of cache what it has read:
/// 16 KiB. A multiprocessor has 256 KiB, less what its blocks share, for 8 blocks of 256 threads or 4 that share much.
inline constexpr std::uint64_t kCachedSectors = 512;

/// Of reads, or of writes; in bytes.
struct Requests {
  std::uint64_t useful = 0;       ///< that a request is for, those of several lanes once
  std::uint64_t in_quads = 0;     ///< of them, where lanes take 16 bytes at a time
  std::uint64_t asked = 0;        ///< of the sectors that requests touch
  std::uint64_t transferred = 0;  ///< of the same, but for reads of what a block finds in its cache
  /// Requests by how wide lanes' accesses are: up to 4 bytes, 8, 16 and more.
  std::uint64_t narrow = 0, wide = 0, widest = 0;

  std::uint64_t count() const { return narrow + wide + widest; }
};

/// What a launch has asked for.
struct Traffic {
  Launch launch;
  Requests read, write;
  std::unordered_map<const void*, Requests> by_instruction;  ///< by where the call before the access returns to

  std::uint64_t in_quads() const { return read.in_quads + write.in_quads; }
  std::uint64_t transferred() const { return read.transferred + write.transferred; }
};

/// Counts what launches ask for while it lives. A request is what lanes of a warp do together; where they are apart,
/// the lowest instruction goes first, so that they meet again behind branches and loops. Atomics are a read and a
/// write.
class TrafficCounter : public Observer {
 public:
  /// Throws Error if there is one already.
  TrafficCounter();
  ~TrafficCounter() override;
  TrafficCounter(const TrafficCounter&) = delete;
  TrafficCounter& operator=(const TrafficCounter&) = delete;

  /// Of every launch so far, in order.
  const std::vector<Traffic>& launches() const { return launches_; }

  /// To be called before an access of the running thread.
  void note(const void* instruction, const void* address, std::uint32_t bytes, bool is_write);

  void begin(const Launch& launch) override;
  void begin_block() override;
  void pass_barrier(bool of_block) override;
  void end_block() override;
  void end() override {}

 private:
  struct Access {
    const void* instruction;
    std::uintptr_t address;
    std::uint32_t bytes, barriers;  ///< the second: that the thread has passed before
    bool is_write;
  };
  struct Thread {
    std::vector<std::vector<Access>> stretches = {{}};  ///< each between two barriers of the block
    std::uint32_t barriers = 0;
  };
  /// Where a lane's next access stands.
  struct Lane {
    const Access *next, *end;
  };
  static std::vector<Access> take_request(std::vector<Lane>& lanes);
  void add(std::vector<Access> lanes);
  bool is_cached(std::uintptr_t sector);

  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> memory_;  ///< [begin, end) of the GPU's allocations, in order
  std::vector<Thread> threads_;                                    ///< of the running block
  std::unordered_map<std::uintptr_t, std::uint64_t> read_;         ///< when the block has read a sector last
  std::uint64_t touched_ = 0;                                      ///< sectors so far, each as often as it was
  std::vector<Traffic> launches_;
  bool is_running_ = false;
};

/// Returns what the launches of `body` ask for, in order.
template <class Body>
std::vector<Traffic> traffic_of(const Body& body) {
  const TrafficCounter counter;
  body();
  return counter.launches();
}

/// Returns a table: reads, writes, and the instructions that ask for more than a hundredth of all, by the addresses
/// that `addr2line -e PROGRAM` takes.
std::string describe(const Traffic& traffic);

}  // namespace simt
