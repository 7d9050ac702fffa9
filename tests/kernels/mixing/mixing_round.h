// Random rounds for the tests of the mixing ops.
#pragma once
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/mixing/round_edges.h"

namespace sparsepush {

/// The in-edges of a round, owned.
struct Round {
  std::vector<std::int64_t> begin = {0};
  std::vector<std::int32_t> slot;
  std::vector<float> weight, self_weight;
  std::vector<std::uint8_t> is_boundary = {};  ///< empty where nodes are not told apart

  RoundEdges edges() const { return {begin, slot, weight, self_weight, is_boundary}; }
  int nodes() const { return static_cast<int>(self_weight.size()); }
};

/// Marks the nodes that hear slots behind those of the nodes.
inline void mark_boundary(Round& round) {
  for (int node = 0; node < round.nodes(); ++node) {
    bool hears_others = false;
    for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e)
      hears_others = hears_others || round.slot[e] >= round.nodes();
    round.is_boundary.push_back(hears_others);
  }
}

/// The same in the memory of a backend.
template <class Backend>
class RoundOn {
 public:
  RoundOn(const Backend& backend, const Round& round)
      : begin_(backend, round.begin),
        slot_(backend, round.slot),
        weight_(backend, round.weight),
        self_weight_(backend, round.self_weight),
        is_boundary_(backend, round.is_boundary) {}

  RoundEdges edges() const {
    return {begin_.span(), slot_.span(), weight_.span(), self_weight_.span(), is_boundary_.span()};
  }

 private:
  Buffer<Backend, std::int64_t> begin_;
  Buffer<Backend, std::int32_t> slot_;
  Buffer<Backend, float> weight_, self_weight_;
  Buffer<Backend, std::uint8_t> is_boundary_;
};

inline Round random_round(int nodes, int slots, std::mt19937& generator) {
  Round round;
  for (int node = 0; node < nodes; ++node) {
    for (int source = 0; source < slots; ++source) {
      if (source == node || generator() % 3 != 0) continue;
      round.slot.push_back(source);
      round.weight.push_back(0.01f * static_cast<float>(generator() % 100));
    }
    round.begin.push_back(static_cast<std::int64_t>(round.slot.size()));
    round.self_weight.push_back(-0.01f * static_cast<float>(generator() % 100));
  }
  return round;
}

/// A round in which some nodes hear nobody, some only each other, and some others too, in turn.
inline Round random_parted_round(int nodes, int slots, std::mt19937& generator) {
  Round round = random_round(nodes, slots, generator), parted;
  for (int node = 0; node < nodes; ++node) {
    for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e) {
      if (node % 3 == 0 || (node % 3 == 1 && round.slot[e] >= nodes)) continue;
      parted.slot.push_back(round.slot[e]);
      parted.weight.push_back(round.weight[e]);
    }
    parted.begin.push_back(static_cast<std::int64_t>(parted.slot.size()));
  }
  parted.self_weight = round.self_weight;
  mark_boundary(parted);
  return parted;
}

/// Returns `mixed` for interior nodes, and `before` for the others.
template <class T>
std::vector<T> of_interior(const std::vector<T>& before, const std::vector<T>& mixed, int row, const Round& round) {
  std::vector<T> values;
  for (std::size_t i = 0; i < mixed.size(); ++i)
    values.push_back(round.is_boundary[i / row] != 0 ? before[i] : mixed[i]);
  return values;
}

/// Mixing of the rows of all `slots` into x, element by element in the order of the definition.
inline std::vector<float> expected_mix(const std::vector<float>& into, const std::vector<float>& slots, int row,
                                       const Round& round) {
  std::vector<float> mixed;
  for (std::size_t node = 0; node + 1 < round.begin.size(); ++node) {
    for (int c = 0; c < row; ++c) {
      float x = std::fma(round.self_weight[node], slots[node * row + c], into[node * row + c]);
      for (std::int64_t e = round.begin[node]; e < round.begin[node + 1]; ++e) {
        x = std::fma(round.weight[e], slots[static_cast<std::size_t>(round.slot[e]) * row + c], x);
      }
      mixed.push_back(x);
    }
  }
  return mixed;
}
/// The same where x is mixed with itself, as it was before the round.
inline std::vector<float> expected_mix(const std::vector<float>& slots, int row, const Round& round) {
  return expected_mix(slots, slots, row, round);
}

}  // namespace sparsepush
