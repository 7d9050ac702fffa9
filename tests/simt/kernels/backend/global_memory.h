// Stands in for kernels/backend/global_memory.h.
#pragma once
#include "kernels/backend/quad.h"
#include "tests/simt/simt.h"

namespace sparsepush {

struct alignas(8) Pair {
  float lane[2];
};

inline Quad read_quad(const float* first) {
  simt::count_read(first, sizeof(Quad));
  return load_quad(first, 0);
}
inline void write_quad(const Quad& quad, float* first) {
  simt::count_write(first, sizeof(Quad));
  store_quad(quad, first, 0);
}
inline Pair read_pair(const float* first) {
  simt::count_read(first, sizeof(Pair));
  return *reinterpret_cast<const Pair*>(first);
}
inline void write_pair(const Pair& pair, float* first) {
  simt::count_write(first, sizeof(Pair));
  *reinterpret_cast<Pair*>(first) = pair;
}

}  // namespace sparsepush
