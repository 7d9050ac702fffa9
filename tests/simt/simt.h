// Runs CUDA kernels that were compiled as C++ on the processor: one fiber per CUDA thread, one block at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  explicit dim3(unsigned x, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace simt {

/// A kernel did what no GPU would let pass, or what is not simulated.
class Error : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

inline constexpr unsigned kWarp = 32;
inline constexpr unsigned kMostThreads = 1024;
inline constexpr std::size_t kLargeSharedBytes = 227 * 1024;  ///< of one block on sm_90
inline constexpr std::size_t kSmallSharedBytes = 99 * 1024;   ///< and on sm_86

/// Indices of the running thread and the shape of its launch.
struct Place {
  dim3 thread, block, block_shape, grid;
};
extern Place place;

/// How many multiprocessors the GPU seems to have; few, so that blocks of persistent kernels have several items each.
inline int multiprocessors = 3;
/// How much shared memory a block may have.
inline std::size_t most_shared_bytes = kLargeSharedBytes;
/// Launches run only so many blocks, those with the largest numbers.
inline unsigned last_blocks = ~0u;

/// In which order threads run, as far as barriers leave it open; every value is another unfair order.
extern unsigned schedule;

struct Launch {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
};

/// Is told how launches go on. Threads are those that `place` names.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void begin(const Launch& launch) = 0;
  virtual void begin_block() = 0;
  /// A thread has passed a barrier of its block, or of its warp.
  virtual void pass_barrier(bool of_block) = 0;
  virtual void end_block() = 0;
  virtual void end() = 0;
};
/// Null: nobody is told.
inline Observer* observer = nullptr;

/// Runs `kernel` for every thread of the launch, blocks in shuffled order. Before each block its shared memory is
/// filled with 0xff bytes. Throws Error where threads wait at a barrier that others never reach. Launches of several
/// host threads take turns.
void run(const Launch& launch, const std::function<void()>& kernel);

/// Waits until all threads of the block have called it.
void wait_for_block();
/// Waits until all threads of the warp have called it; `mask` must name them all.
void wait_for_warp(unsigned mask);

/// The running thread's number in its warp, and how many threads the warp has.
inline unsigned lane() { return place.thread.x % kWarp; }
unsigned warp_threads();
/// What the threads of the warp have put down for each other.
std::uint64_t& lane_value(unsigned lane);

/// The value that `source(lane)` names of all lanes' values; all threads of the warp call it.
template <class T, class Source>
T exchange(unsigned mask, const T& value, const Source& source) {
  static_assert(sizeof(T) <= sizeof(std::uint64_t));
  std::memcpy(&lane_value(lane()), &value, sizeof value);
  wait_for_warp(mask);
  const unsigned from = source(lane());
  T result = value;
  if (from < warp_threads()) std::memcpy(&result, &lane_value(from), sizeof result);
  wait_for_warp(mask);
  return result;
}

/// A product of matrices as kernels/backend/tensor_core.h says; all 32 threads of the warp call it, at the same place
/// of the program. The low 13 bits of what is multiplied are dropped.
void multiply_add_tf32(float (&sum)[4], const float (&a)[4], const float (&b)[2], const std::source_location& where);

/// Reads what a product will take from shared memory. Lanes meet where their numbers of reads since the warp's last
/// product are equal: those of different words in one bank take turns.
float load_fragment(const float* shared);

/// Copies four floats to dynamic shared memory, zeros if there is no `global`. They land when the thread waits, and
/// stand there as 0xff bytes until then; what is copied is read now or then, as the schedule says.
void copy_async(float* shared, const float* global);
void wait_for_copies();

/// What all launches have done so far.
struct Counts {
  std::uint64_t launches = 0;
  std::uint64_t products = 0;        ///< of matrices, by warps
  std::uint64_t bank_conflicts = 0;  ///< turns that reads of fragments take beyond the first
  std::uint64_t copied_bytes = 0;    ///< by copy_async, zeros not counted
  std::uint64_t read_bytes = 0;      ///< by accesses as in kernels/backend/global_memory.h
  std::uint64_t written_bytes = 0;   ///< likewise
};
inline Counts counts;

/// Counts an access to memory that is not the block's shared one.
void count_read(const void* first, std::size_t bytes);
void count_write(const void* first, std::size_t bytes);

/// Whether GCC calls a function so that was made from a template.
constexpr bool is_of_template(std::string_view pretty_function) {
  return pretty_function.find("[with ") != std::string_view::npos;
}

template <class T, class... Types>
inline constexpr bool is_one_of = (std::is_same_v<T, Types> || ...);

/// Shared memory whose size the launch gives; aligned to 16 bytes and to no more, which is all that a kernel may
/// expect.
unsigned char* dynamic_shared();

}  // namespace simt
