// What processors bring from memory at once.
#pragma once
#include <cstddef>

namespace sparsepush {

/// Zeros, or whatever is put there: memory that starts on a line, in vectors of them.
struct alignas(64) CacheLine {
  std::byte bytes[64] = {};
};

}  // namespace sparsepush
