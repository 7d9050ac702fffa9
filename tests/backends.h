// The backends that op tests run on, and the ways to run each.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <utility>

#include "tests/sanitized.h"
#include "tests/vector_levels.h"

#if SPARSEPUSH_SIMULATED_CUDA
#include "tests/simt/simt.h"
#include "tests/simt/streams.h"
#endif

namespace sparsepush {

using Backends = testing::Types<Cpu, Cuda>;

#if SPARSEPUSH_SIMULATED_CUDA
constexpr bool kSimulatedCuda = true;
#else
constexpr bool kSimulatedCuda = false;
#endif

/// Skips the tests of a backend that this machine does not have.
template <class Backend, class Base = testing::Test>
class BackendTest : public Base {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cuda> && !Cuda::is_available()) GTEST_SKIP() << "no CUDA GPU";
  }
};

/// The one that a test computes on.
template <class Backend>
Backend tested_backend() {
  if constexpr (std::is_same_v<Backend, Cpu>)
    return tested_cpu();
  else
    return Backend();
}

/// Calls body(backend) for every way to run ops: with several numbers of threads and at every vector level, or under
/// several thread schedules, under a sanitizer under the first and the last. What an op returns may not depend on it.
template <class Backend, class Body>
void for_each_way_to_run(const Body& body) {
  if constexpr (std::is_same_v<Backend, Cpu>) {
    for (const int threads : {1, 2, 4}) {
      SCOPED_TRACE(std::to_string(threads) + " threads");
      body(tested_cpu(threads));
    }
    for (const VectorLevel level : tested_vector_levels()) {
      if (level == tested_vector_level()) continue;
      SCOPED_TRACE(name_of(level));
      body(Cpu(1, level));
    }
  } else {
#if SPARSEPUSH_SIMULATED_CUDA
    for (simt::schedule = 0; simt::schedule < 5; simt::schedule += kSanitized ? 4 : 1) {
      SCOPED_TRACE("schedule " + std::to_string(simt::schedule));
      simt::most_shared_bytes = simt::schedule == 4 ? simt::kSmallSharedBytes : simt::kLargeSharedBytes;
      body(Backend());
    }
    simt::most_shared_bytes = simt::kLargeSharedBytes;
#else
    body(Backend());
#endif
  }
}

/// Calls body() with streams that do their work at once, late, and in shuffled orders, `orders` in all, where a
/// simulator lets us choose.
template <class Backend, class Body>
void for_each_stream_order(const Body& body, unsigned orders = 8) {
  static_cast<void>(orders);
#if SPARSEPUSH_SIMULATED_CUDA
  if constexpr (std::is_same_v<Backend, Cuda>) {
    for (simt::stream_order = 0; simt::stream_order < orders; ++simt::stream_order) {
      SCOPED_TRACE("stream order " + std::to_string(simt::stream_order));
      body();
    }
    simt::stream_order = 0;
    return;
  }
#endif
  body();
}

#if SPARSEPUSH_SIMULATED_CUDA
/// Those whose memory is this process's.
using BackendsInHostMemory = testing::Types<Cpu, Cuda>;
#else
using BackendsInHostMemory = testing::Types<Cpu>;
#endif

/// Calls body(backend). On the simulated GPU launches get a block for every item, of which only the last ones run.
template <class Backend, class Body>
void run_last_blocks(unsigned blocks, const Body& body) {
  static_cast<void>(blocks);
  if constexpr (std::is_same_v<Backend, Cpu>) {
    body(tested_cpu(1));
  } else {
#if SPARSEPUSH_SIMULATED_CUDA
    const int multiprocessors = std::exchange(simt::multiprocessors, 1 << 24);
    const unsigned last_blocks = std::exchange(simt::last_blocks, blocks);
    body(Backend());
    simt::multiprocessors = multiprocessors;
    simt::last_blocks = last_blocks;
#endif
  }
}

}  // namespace sparsepush
