// Divides the nodes of several ops into waves: ranges of nodes that run through all of them before the next range does.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/check.h"
#include "kernels/backend/constexpr_algorithms.h"

namespace sparsepush {

/// Each backend has waves of its own.
template <class Backend>
class Waves;

/// On the Cpu one node per worker: its activations stay in that worker's cache from layer to layer, and the ops of a
/// wave run inline on a serial `Cpu`.
template <>
class Waves<Cpu> {
 public:
  Waves(const Cpu& cpu, std::int64_t) {
    for (int worker = 0; worker < cpu.threads(); ++worker) serial_.emplace_back(1, cpu.vector_level());
  }

  int workers() const { return static_cast<int>(serial_.size()); }
  /// Returns the largest wave among `nodes` nodes that need `bytes_per_node` each.
  static constexpr int nodes_at_once(int, std::int64_t) { return 1; }

  /// Calls body(serial, first, count, worker) for ranges of nodes that cover [0, nodes) once. Calls with the same
  /// `worker` < workers() follow one another.
  template <class Body>
  void run(const Cpu& cpu, int nodes, const Body& body) const {
    CHECK(cpu.threads() <= workers(), "threads ", cpu.threads(), ", workers ", workers());
    const int turn = std::clamp(nodes / (kTurnsPerThread * cpu.threads()), 1, kLongestTurn);
    cpu.pool().run(divide_up(nodes, turn), [&](std::int64_t item, int worker) {
      const int first = static_cast<int>(item) * turn, last = std::min(first + turn, nodes);
      for (int node = first; node < last; ++node) body(serial_[worker], node, 1, worker);
    });
  }

 private:
  // Nodes that one worker takes one after the other: what neighbouring nodes write shares cache lines.
  static constexpr int kLongestTurn = 16, kTurnsPerThread = 8;

  std::vector<Cpu> serial_;  ///< [workers]
};

/// On a GPU all nodes, so that a layer is one launch, or as many as a bounded share of its memory holds.
template <>
class Waves<Cuda> {
 public:
  Waves(const Cuda&, std::int64_t bytes_per_node) : bytes_per_node_(bytes_per_node) {}

  static constexpr int workers() { return 1; }
  static constexpr int nodes_at_once(int nodes, std::int64_t bytes_per_node) {
    return static_cast<int>(std::clamp<std::int64_t>(kBytes / bytes_per_node, 1, std::max(1, nodes)));
  }

  template <class Body>
  void run(const Cuda& gpu, int nodes, const Body& body) const {
    const int wave = nodes_at_once(nodes, bytes_per_node_);
    for (int first = 0; first < nodes; first += wave) body(gpu, first, std::min(wave, nodes - first), 0);
  }

 private:
  static constexpr std::int64_t kBytes = std::int64_t{2} << 30;  // of activations: 70,000 small MLPs at once

  std::int64_t bytes_per_node_;
};

}  // namespace sparsepush
