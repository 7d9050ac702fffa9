// Stands in for the header of the same name: simulated blocks have their shared memory on the heap.
#pragma once
#include "tests/simt/simt.h"

namespace sparsepush {

template <class T>
T* dynamic_shared() {
  return reinterpret_cast<T*>(simt::dynamic_shared());
}

}  // namespace sparsepush
