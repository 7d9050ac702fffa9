// What the machine can do at best, measured in the same run as what is compared with it.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {

/// Seconds from the call of `body` until the backend has done all of it.
template <class Backend, class Body>
double seconds(const Backend& backend, const Body& body) {
  backend.synchronize();
  const auto start = std::chrono::steady_clock::now();
  body();
  backend.synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

inline double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

/// Samples of the seconds that one call of `body` takes. A GPU is given many calls at once, about `kSampleSeconds` of
/// them, so that waiting for it does not count.
template <class Backend, class Body>
std::vector<double> sample_seconds(const Backend& backend, int samples, const Body& body) {
  int calls = 1;
  if constexpr (!std::is_same_v<Backend, Cpu>) {
    constexpr double kSampleSeconds = 0.005;
    body();  // loads kernels
    const double once = seconds(backend, body);
    calls = static_cast<int>(std::clamp(kSampleSeconds / once, 1.0, 64.0));
  }
  std::vector<double> each;
  for (int sample = 0; sample < samples; ++sample)
    each.push_back(seconds(backend,
                           [&] {
                             for (int call = 0; call < calls; ++call) body();
                           }) /
                   calls);
  return each;
}

/// One contiguous share for each thread: the C library streams past the cache what is large.
inline void copy_all(const Cpu& cpu, float* to, const float* from, std::size_t floats) {
  const std::size_t threads = cpu.threads();
  cpu.pool().run(static_cast<std::int64_t>(threads), [&](std::int64_t thread, int) {
    const std::size_t begin = floats * thread / threads, end = floats * (thread + 1) / threads;
    std::memcpy(to + begin, from + begin, (end - begin) * sizeof(float));
  });
}
inline void copy_all(const Cuda& gpu, float* to, const float* from, std::size_t floats) {
  copy_within(gpu, to, from, floats * sizeof(float));
}

/// Bytes read and written in a second while arrays of [rows, cols] floats are copied within the backend's memory.
template <class Backend>
double copy_bandwidth(const Backend& backend, int rows, int cols, int samples) {
  const Buffer<Backend, float> from(backend, rows, cols), to(backend, rows, cols);
  const auto copy = [&] { copy_all(backend, to.view().data, from.view().data, from.view().size()); };
  copy();
  const double bytes = 2.0 * static_cast<double>(from.span().size_bytes());
  return bytes / median(sample_seconds(backend, samples, copy));
}

/// Arrays from this size on are far larger than any cache, so that copying them shows the memory's speed.
inline constexpr std::int64_t kLargeBytes = std::int64_t{1} << 28;

/// As `copy_bandwidth`, of arrays of `kLargeBytes`, or of a quarter of the memory that is free if that is less.
template <class Backend>
double large_copy_bandwidth(const Backend& backend, std::int64_t free_bytes, int samples) {
  constexpr int kColumns = 1 << 16;
  const std::int64_t rows = std::min(kLargeBytes, free_bytes / 4) / (kColumns * std::int64_t{sizeof(float)});
  return copy_bandwidth(backend, std::max(1, static_cast<int>(rows)), kColumns, samples);
}

/// Arrays of a plain pass.
struct PassArrays {
  MatrixView<float> x, momentum, error;
  MatrixView<const float> gradient;
};

/// What no form of the step can avoid: the same arithmetic and traffic, no selection. It moves x by a learning rate of
/// zero, so that it does not disturb the emulation.
inline void plain_pass(const Cpu& cpu, const PassArrays& arrays) {
  constexpr std::int64_t kTile = 1 << 15;
  static const volatile float zero = 0;  // unknown to the compiler
  const auto floats = static_cast<std::int64_t>(arrays.x.size());
  cpu.pool().run((floats + kTile - 1) / kTile, [&](std::int64_t item, int) {
    const std::int64_t begin = item * kTile, size = std::min(kTile, floats - begin);
    const auto step = [&]() __attribute__((always_inline)) {
      float* __restrict x = arrays.x.data + begin;
      float* __restrict momentum = arrays.momentum.data + begin;
      float* __restrict error = arrays.error.data + begin;
      const float* __restrict gradient = arrays.gradient.data + begin;
      const float lr = zero, beta = 1 - zero, weight_decay = zero, scale = zero;
      for (std::int64_t i = 0; i < size; ++i) {
        const float g = std::fma(weight_decay, x[i] * (1 - scale), gradient[i] * scale);
        const float m = std::fma(beta, momentum[i], g);
        const float next = std::fma(-lr, m, x[i]);
        momentum[i] = m;
        x[i] = next;
        error[i] = std::fma(scale, next, error[i]);
      }
    };
    run_vectorized(cpu.vector_level(), step);
  });
}

}  // namespace sparsepush
