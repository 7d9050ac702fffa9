#include "tests/simt/simt.h"

#include <algorithm>
#include <bit>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <cstring>
#include <exception>
#include <new>
#include <numeric>
#include <random>
#include <span>
#include <vector>

#include "tests/simt/streams.h"

// The linker's names for the ends of the section that holds all static shared memory.
extern "C" {
extern unsigned char __start_simt_shared[] __attribute__((weak));
extern unsigned char __stop_simt_shared[] __attribute__((weak));
}

namespace simt {

Place place;
unsigned schedule = 0;

namespace {

constexpr std::size_t kStackBytes = 64 * 1024;
#if defined(__SANITIZE_ADDRESS__)  // which would remember the frames of a thread that ended in the middle
using Stacks = boost::context::fixedsize_stack;
#else
using Stacks = boost::context::pooled_fixedsize_stack;  // many times faster; one launch runs at a time
#endif

/// Gives memory that begins 16 bytes behind a multiple of 32.
template <class T>
struct OddlyAligned {
  using value_type = T;
  OddlyAligned() = default;
  template <class Other>
  OddlyAligned(const OddlyAligned<Other>&) {}
  T* allocate(std::size_t count) {
    return reinterpret_cast<T*>(
        static_cast<unsigned char*>(::operator new (count * sizeof(T) + 16, std::align_val_t{32})) + 16);
  }
  void deallocate(T* p, std::size_t) {
    ::operator delete (reinterpret_cast<unsigned char*>(p) - 16, std::align_val_t{32});
  }
  bool operator==(const OddlyAligned&) const = default;
};

/// What threads wait for at a barrier.
enum class Wait { kBlock, kWarp, kProduct };

struct Barrier {
  unsigned expected = 0, arrived = 0, generation = 0;
  Wait kind = Wait::kBlock;  ///< of those that have arrived
};

struct Warp {
  /// What lanes put down for a matrix product.
  struct Fragments {
    float a[kWarp][4], b[kWarp][2];
    std::source_location where[kWarp];
    std::vector<std::uintptr_t> words[kWarp];  ///< of shared memory that were read for it, in order
  };
  Barrier barrier;
  std::uint64_t value[kWarp] = {};
  Fragments fragments[2];  ///< by turns, so that one barrier is enough
};

/// Four floats on their way to shared memory.
struct Copy {
  float* to;
  const float* from;  ///< null: zeros
  float value[4];
};

/// The threads of the running block.
struct Block {
  std::vector<boost::context::fiber> thread, scheduler;  ///< where to go on, and where to go back to
  std::vector<Warp> warp;
  std::vector<std::vector<Copy>> copies;  ///< [threads] that it has not waited for
  std::vector<unsigned> products;         ///< [threads] matrix products so far
  Barrier barrier;
  std::uint64_t progress = 0;                                      ///< barriers passed and threads ended
  std::vector<unsigned char, OddlyAligned<unsigned char>> shared;  ///< whose size the launch gave
  std::exception_ptr error;                                        ///< the first of a thread

  void wait(Barrier& b, Wait kind) {
    const unsigned mine = b.generation, self = place.thread.x;
    if (b.arrived > 0 && b.kind != kind) throw Error("simt: lanes of a warp meet in a matrix product and elsewhere");
    b.kind = kind;
    if (++b.arrived == b.expected) {
      b.arrived = 0;
      ++b.generation;
    }
    while (b.generation == mine) scheduler[self] = std::move(scheduler[self]).resume();
    ++progress;
    if (observer != nullptr) observer->pass_barrier(kind == Wait::kBlock);
  }
};

thread_local Block* running = nullptr;

Block& block() {
  if (running == nullptr) throw Error("simt: a device function was called outside of a kernel");
  return *running;
}

#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize("address")))
#endif
void poison_static_shared_memory() {
  for (volatile unsigned char* p = __start_simt_shared; p != __stop_simt_shared; ++p) *p = 0xff;
}

/// 0 .. count - 1: by schedule ascending, descending, or shuffled.
std::vector<unsigned> order(unsigned count, std::mt19937& random) {
  std::vector<unsigned> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  if (schedule % 3 == 1) std::reverse(numbers.begin(), numbers.end());
  if (schedule % 3 == 2) std::shuffle(numbers.begin(), numbers.end(), random);
  return numbers;
}

/// Lets every thread of a warp run to its next barrier. True if any got further.
bool run_warp(Block& b, unsigned warp, std::mt19937& random) {
  const std::uint64_t before = b.progress;
  for (const unsigned lane : order(b.warp[warp].barrier.expected, random)) {
    const unsigned t = warp * kWarp + lane;
    if (!b.thread[t]) continue;
    place.thread = dim3(t);
    b.thread[t] = std::move(b.thread[t]).resume();
  }
  return b.progress != before;
}

/// One block to its end. Each warp runs as far as it can before another one does: fair turns would hide a missing
/// barrier.
void run_block(const std::function<void()>& kernel, std::size_t shared_bytes, std::mt19937& random) {
  static Stacks stacks(kStackBytes);
  const unsigned threads = place.block_shape.x;
  Block b;
  b.scheduler.resize(threads);
  b.copies.resize(threads);
  b.products.resize(threads);
  b.warp.resize((threads + kWarp - 1) / kWarp);
  b.barrier.expected = threads;
  for (unsigned t = 0; t < threads; ++t) {
    ++b.warp[t / kWarp].barrier.expected;
    b.thread.emplace_back(std::allocator_arg, stacks, [&b, &kernel, t](boost::context::fiber&& caller) {
      b.scheduler[t] = std::move(caller);
      try {
        kernel();
        if (!b.copies[t].empty()) throw Error("simt: a thread ends with copies that it has not waited for");
      } catch (const std::exception&) {
        b.error = std::current_exception();
      }
      ++b.progress;
      return std::move(b.scheduler[t]);
    });
  }
  b.shared.assign(shared_bytes, 0xff);
  poison_static_shared_memory();
  running = &b;
  if (observer != nullptr) observer->begin_block();
  for (bool moved = true; moved;) {
    moved = false;
    for (const unsigned warp : order(static_cast<unsigned>(b.warp.size()), random))
      while (run_warp(b, warp, random)) moved = true;
  }
  running = nullptr;
  if (b.error) std::rethrow_exception(b.error);
  for (const auto& thread : b.thread)
    if (thread) throw Error("simt: threads wait at a barrier that others of their block or warp never reach");
  if (observer != nullptr) observer->end_block();
}

}  // namespace

void run(const Launch& launch, const std::function<void()>& kernel) {
  const dim3 &grid = launch.grid, &shape = launch.block;
  if (shape.y * shape.z * grid.y * grid.z != 1) throw Error("simt: only one-dimensional launches are simulated");
  if (shape.x < 1 || shape.x > kMostThreads) throw Error("simt: a block of " + std::to_string(shape.x) + " threads");
  if (grid.x < 1 || grid.x > 0x7fffffffu) throw Error("simt: a grid of " + std::to_string(grid.x) + " blocks");
  if (launch.shared_bytes > most_shared_bytes)
    throw Error("simt: " + std::to_string(launch.shared_bytes) + " bytes of shared memory");
  if (running != nullptr) throw Error("simt: a launch from within a kernel is not simulated");
  const std::lock_guard lock(gpu);
  ++counts.launches;
  std::mt19937 random(schedule);
  std::vector<unsigned> blocks(std::min(grid.x, last_blocks));
  std::iota(blocks.begin(), blocks.end(), grid.x - static_cast<unsigned>(blocks.size()));
  std::shuffle(blocks.begin(), blocks.end(), random);
  place.grid = grid;
  place.block_shape = shape;
  if (observer != nullptr) observer->begin(launch);
  for (const unsigned b : blocks) {
    place.block = dim3(b);
    run_block(kernel, launch.shared_bytes, random);
  }
  if (observer != nullptr) observer->end();
}

void wait_for_block() { block().wait(block().barrier, Wait::kBlock); }

void wait_for_warp(unsigned mask) {
  Warp& warp = block().warp[place.thread.x / kWarp];
  const unsigned all = warp.barrier.expected == kWarp ? ~0u : (1u << warp.barrier.expected) - 1;
  if ((mask & all) != all) throw Error("simt: masks that leave out threads of the warp are not simulated");
  block().wait(warp.barrier, Wait::kWarp);
}

namespace {

float without_low_bits(float value) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & ~0x1fffu); }

/// Turns beyond the first that lanes take for the words that they read at once.
std::uint64_t bank_conflicts(const std::vector<std::uintptr_t> (&words)[kWarp]) {
  std::uint64_t conflicts = 0;
  for (const auto& lane : words)
    if (lane.size() != words[0].size()) throw Error("simt: lanes of a warp read different numbers of fragments");
  for (std::size_t read = 0; read < words[0].size(); ++read) {
    unsigned turns[kWarp] = {}, most = 1;  // of each bank
    for (unsigned lane = 0; lane < kWarp; ++lane) {
      const std::uintptr_t word = words[lane][read];
      unsigned earlier = 0;
      while (earlier < lane && words[earlier][read] != word) ++earlier;
      if (earlier == lane) most = std::max(most, ++turns[word % kWarp]);
    }
    conflicts += most - 1;
  }
  return conflicts;
}

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

}  // namespace

namespace {

/// Of the product that the running thread comes to next.
Warp::Fragments& next_fragments() {
  return block().warp[place.thread.x / kWarp].fragments[block().products[place.thread.x] % 2];
}

bool is_dynamic_shared(const void* first, std::size_t bytes) {
  const std::span<unsigned char> memory(block().shared);
  const auto* const begin = static_cast<const unsigned char*>(first);
  return begin >= memory.data() && begin + bytes <= memory.data() + memory.size();
}

}  // namespace

float load_fragment(const float* shared) {
  next_fragments().words[lane()].push_back(reinterpret_cast<std::uintptr_t>(shared) / sizeof(float));
  return *shared;
}

void multiply_add_tf32(float (&sum)[4], const float (&a)[4], const float (&b)[2], const std::source_location& where) {
  if (warp_threads() != kWarp) throw Error("simt: a matrix product of a warp that is not whole");
  Warp::Fragments& all = next_fragments();
  std::ranges::transform(a, all.a[lane()], without_low_bits);
  std::ranges::transform(b, all.b[lane()], without_low_bits);
  all.where[lane()] = where;
  block().wait(block().warp[place.thread.x / kWarp].barrier, Wait::kProduct);
  if (!same_place(all.where[0], where)) throw Error("simt: lanes of a warp meet in different matrix products");
  ++block().products[place.thread.x];
  next_fragments().words[lane()].clear();
  const unsigned g = lane() / 4, t = lane() % 4;
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned high = i / 2, column = 2 * t + i % 2;  // of rows g and g + 8
    float products = 0;
    for (unsigned k = 0; k < 8; ++k)
      products += all.a[4 * g + k % 4][high + k / 4 * 2] * all.b[4 * column + k % 4][k / 4];
    sum[i] += products;
  }
  if (lane() != 0) return;
  ++counts.products;
  counts.bank_conflicts += bank_conflicts(all.words);
}

void count_read(const void* first, std::size_t bytes) {
  if (!is_dynamic_shared(first, bytes)) counts.read_bytes += bytes;
}
void count_write(const void* first, std::size_t bytes) {
  if (!is_dynamic_shared(first, bytes)) counts.written_bytes += bytes;
}

void copy_async(float* shared, const float* global) {
  const auto is_aligned = [](const float* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; };
  if (!is_aligned(shared) || !is_aligned(global)) throw Error("simt: a copy of 16 bytes that are not aligned");
  if (!is_dynamic_shared(shared, 16)) throw Error("simt: a copy to what is not dynamic shared memory");
  Copy copy{.to = shared, .from = global, .value = {}};
  if (global != nullptr) std::copy_n(global, 4, copy.value);
  block().copies[place.thread.x].push_back(copy);
  std::memset(shared, 0xff, 16);
  if (global != nullptr) counts.copied_bytes += 16;
}

void wait_for_copies() {
  for (Copy& copy : block().copies[place.thread.x]) {
    if (copy.from != nullptr && schedule % 2 == 1) std::copy_n(copy.from, 4, copy.value);
    std::copy_n(copy.value, 4, copy.to);
  }
  block().copies[place.thread.x].clear();
}

unsigned warp_threads() { return block().warp[place.thread.x / kWarp].barrier.expected; }
std::uint64_t& lane_value(unsigned lane) { return block().warp[place.thread.x / kWarp].value[lane]; }
unsigned char* dynamic_shared() { return block().shared.data(); }

}  // namespace simt
