#include "kernels/backend/backend.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "kernels/backend/check.h"
#include "kernels/backend/processors.h"

namespace sparsepush {
namespace {
int threads_or_all(int threads) {
  CHECK(threads >= 0, "threads = ", threads);
  return threads > 0 ? threads : usable_processors();
}

VectorLevel usable(VectorLevel level) {
  CHECK(level <= best_vector_level(), "vector level ", name_of(level), ", the processor has ",
        name_of(best_vector_level()));
  return level;
}
}  // namespace

Cpu::Cpu(int threads, VectorLevel level)
    : vector_level_(usable(level)), pool_(std::make_unique<ThreadPool>(threads_or_all(threads))) {}

void* allocate(const Cpu&, std::size_t bytes) {
  constexpr std::size_t kAlignment = 64;  // a cache line, and the widest vector
  const std::size_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* p = std::aligned_alloc(kAlignment, padded > 0 ? padded : kAlignment);
  if (p == nullptr) throw std::bad_alloc();
  std::memset(p, 0, padded);
  return p;
}
void release(const Cpu&, void* p) noexcept { std::free(p); }
void copy(const Cpu&, void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}
void copy_within(const Cpu& cpu, void* to, const void* from, std::size_t bytes) { copy(cpu, to, from, bytes); }
void clear(const Cpu&, void* p, std::size_t bytes) { std::memset(p, 0, bytes); }

}  // namespace sparsepush
