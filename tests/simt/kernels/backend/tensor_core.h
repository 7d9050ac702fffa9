// Stands in for kernels/backend/tensor_core.h.
#pragma once
#include <source_location>

#include "tests/simt/simt.h"

namespace sparsepush {

inline void multiply_add_tf32(float (&sum)[4], const float (&a)[4], const float (&b)[2],
                              std::source_location where = std::source_location::current()) {
  simt::multiply_add_tf32(sum, a, b, where);
}
inline float load_fragment(const float* shared) { return simt::load_fragment(shared); }
inline void copy_quad_async(float* shared, const float* global, bool is_copied) {
  simt::copy_async(shared, is_copied ? global : nullptr);
}
inline void wait_for_copies() { simt::wait_for_copies(); }

}  // namespace sparsepush
