// Directed, possibly time-varying communication topologies with column-stochastic mixing weights.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/recipe/settings.h"

namespace sparsepush {

/// source sends to target; weight is p_ij with i = target, j = source.
struct Edge {
  int source = 0;
  int target = 0;
  double weight = 0;
};

/// Who sends to whom in one round. Self weights are not edges.
struct TopologyRound {
  std::vector<Edge> edges;          ///< ordered by target, then by source
  std::vector<double> self_weight;  ///< [nodes] p_jj, for checking and description
};

/// The topology of one replica. Deterministic: round(t) depends on the arguments of the constructor and t only.
class Topology {
 public:
  int nodes() const { return nodes_; }
  /// Returns the rounds after which it repeats; 1 if static, 0 if every round is drawn anew.
  std::int64_t period() const { return period_; }
  /// Returns edges and self weights of round t, which are made here if every round is drawn anew.
  TopologyRound round(std::int64_t t) const;
  /// Returns all [period] rounds; empty if every round is drawn anew.
  std::span<const TopologyRound> stored_rounds() const { return rounds_; }
  const TopologyConfig& config() const { return config_; }
  /// Returns its name, or the file that it was read from.
  const std::string& name() const;
  std::uint64_t seed() const { return seed_; }

 private:
  friend Topology make_topology(const TopologyConfig& config, int nodes, std::uint64_t seed);
  TopologyConfig config_;
  int nodes_ = 0;
  std::uint64_t seed_ = 0;
  std::int64_t period_ = 1;
  std::vector<TopologyRound> rounds_;  ///< [period]; empty if redrawn
};

/// Builds and checks one period (a redrawn topology is checked per round by `check_strongly_connected`).
/// Throws InputError that names node and round, or file and line.
Topology make_topology(const TopologyConfig& config, int nodes, std::uint64_t seed);

/// Returns whether two replicas with different seeds have different topologies.
bool depends_on_seed(const TopologyConfig& config);

/// Throws InputError unless the union of the rounds [0, rounds) (of one period, if that is known) is strongly
/// connected.
void check_strongly_connected(const Topology& topology, std::int64_t rounds);

/// Throws likewise about the rounds that mix each of `blocks` blocks, round t mixing block t mod blocks: names those
/// that do not.
void check_blocks_connected(const Topology& topology, std::int64_t blocks, std::int64_t rounds);

/// How fast a topology mixes.
struct MixingSpeed {
  double rho = 0;          ///< |lambda_2|^(1 / period) of one period's P (redrawn: of 64 rounds)
  bool estimated = false;  ///< by power iteration, for many nodes; else from all eigenvalues
};
/// Computes rho: from all eigenvalues, or for many nodes by power iteration.
MixingSpeed mixing_speed(const Topology& topology);

/// Counts the rounds of dense gossip that contract disagreement to `remaining`: max(period, ceil(ln remaining / ln
/// rho)).
std::int64_t rounds_to_contract(const Topology& topology, double remaining);

/// Returns whether all push-sum weights stay 1 (every row of every P sums to 1).
bool push_sum_is_idle(const Topology& topology);

/// Returns round `t` as a digraph of Graphviz, each edge labelled with its weight.
std::string round_dot(const TopologyRound& round, std::int64_t t);

/// Returns the text of `sparsepush topology`: degrees, self weights, period, rho and spectral gap, rounds to 1 %,
/// whether push-sum is idle, and round 0 as DOT (all rounds of a short period).
std::string describe_topology(const Topology& topology);

}  // namespace sparsepush
