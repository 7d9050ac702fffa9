#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

#include "host/topologies/eigenvalues.h"
#include "host/topologies/topology.h"
#include "kernels/backend/random.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kRedrawnRounds = 64;  // stand for a period where there is none
constexpr int kMostNodesExact = 600;         // all eigenvalues of a larger matrix take more than a second
constexpr double kMostProductWork = 2e9;     // multiplications for the product of one period: about two seconds
constexpr double kEstimateWork = 2e8;        // edges visited by an estimate: about a second
constexpr double kZero = 1e-12;              // a sum of cosines that is zero but for rounding
constexpr double kIdleTolerance = 1e-9;

using Vector = std::vector<double>;

std::int64_t rounds_looked_at(const Topology& topology) {
  return topology.period() > 0 ? topology.period() : kRedrawnRounds;
}

// Round t of a period that goes on; a round that is drawn anew is kept in `drawn`.
const TopologyRound& round_at(const Topology& topology, std::int64_t t, TopologyRound& drawn) {
  const auto stored = topology.stored_rounds();
  if (!stored.empty()) return stored[static_cast<std::size_t>(t) % stored.size()];
  drawn = topology.round(t);
  return drawn;
}

double edges_of_period(const Topology& topology) {
  if (topology.period() == 0) return static_cast<double>(topology.round(0).edges.size()) * kRedrawnRounds;
  double edges = 0;
  for (const TopologyRound& round : topology.stored_rounds()) edges += static_cast<double>(round.edges.size());
  return edges;
}

// y = P x.
void mix(const TopologyRound& round, const Vector& x, Vector& y) {
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = round.self_weight[i] * x[i];
  for (const Edge& edge : round.edges) y[edge.target] += edge.weight * x[edge.source];
}

// One out-edge of node 0 in a round where every node j sends with the same weights to j + offset.
struct Offset {
  std::int64_t offset = 0;
  double weight = 0;
};

// The offsets, with the self weight as offset 0; nothing if the round's P is not circulant.
std::optional<std::vector<Offset>> circulant_offsets(const TopologyRound& round) {
  const auto nodes = static_cast<std::int64_t>(round.self_weight.size());
  std::vector<Offset> offsets = {{0, round.self_weight[0]}};
  std::vector<double> weight_of(nodes, 0);
  for (const Edge& edge : round.edges) {
    if (edge.source != 0) continue;
    offsets.push_back({edge.target, edge.weight});
    weight_of[edge.target] = edge.weight;
  }
  if (round.edges.size() != (offsets.size() - 1) * static_cast<std::size_t>(nodes)) return {};
  for (const Edge& edge : round.edges)
    if (weight_of[(edge.target - edge.source + nodes) % nodes] != edge.weight) return {};
  for (const double self : round.self_weight)
    if (self != offsets[0].weight) return {};
  return offsets;
}

// Circulant matrices share their eigenvectors, so the eigenvalues of a product are products: exact for any size.
// moduli[k - 1] for the discrete frequencies k = 1, ..., nodes - 1; nothing unless all rounds are circulant.
std::optional<Vector> circulant_moduli(const Topology& topology) {
  const std::int64_t nodes = topology.nodes();
  if (topology.period() == 0) return {};
  Vector moduli(nodes - 1, 1.0), cosine(nodes), sine(nodes);
  for (std::int64_t k = 0; k < nodes; ++k) {
    const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(nodes);
    cosine[k] = std::cos(angle);
    sine[k] = std::sin(angle);
  }
  for (const TopologyRound& round : topology.stored_rounds()) {
    const auto offsets = circulant_offsets(round);
    if (!offsets) return {};
    for (std::int64_t k = 1; k < nodes; ++k) {
      double real = 0, imaginary = 0;
      for (const auto [offset, weight] : *offsets) {
        real += weight * cosine[k * offset % nodes];
        imaginary += weight * sine[k * offset % nodes];
      }
      const double modulus = std::hypot(real, imaginary);
      moduli[k - 1] *= modulus < kZero ? 0 : modulus;
    }
  }
  return moduli;
}

// Removes what rounding has added to the sum, which no round would contract, and returns the norm of the rest.
double remove_mean(Vector& x) {
  const double mean = std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
  double squares = 0;
  for (double& value : x) {
    value -= mean;
    squares += value * value;
  }
  return std::sqrt(squares);
}

// Multiplies by 1 / (largest magnitude), which is returned.
double normalize(Vector& x) {
  double largest = 0;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  if (largest > 0)
    for (double& value : x) value /= largest;
  return largest;
}

// The largest eigenvalue modulus of the period's product beside the eigenvalue 1, per round. That one is left out by
// restricting P to vectors of sum zero, which it maps to such vectors; their basis is e_j - e_last, so a coordinate is
// an element. Scaled after every round: many rounds contract to far less than the rounding of the whole product.
double second_modulus_per_round(const Topology& topology) {
  const auto nodes = static_cast<std::size_t>(topology.nodes()), last = nodes - 1;
  Vector images(last * nodes, 0), x(nodes), y(nodes), restricted;
  for (std::size_t j = 0; j < last; ++j) {
    images[j * nodes + j] = 1;
    images[j * nodes + last] = -1;
  }
  const std::int64_t rounds = rounds_looked_at(topology);
  double log_scale = 0;
  TopologyRound drawn;
  for (std::int64_t t = 0; t < rounds; ++t) {
    const TopologyRound& round = round_at(topology, t, drawn);
    for (auto image = images.begin(); image != images.end(); image += static_cast<std::ptrdiff_t>(nodes)) {
      std::copy_n(image, nodes, x.begin());
      mix(round, x, y);
      remove_mean(y);
      std::copy_n(y.begin(), nodes, image);
    }
    log_scale += std::log(normalize(images));  // -infinity if nothing is left
  }
  for (std::size_t j = 0; j < last; ++j)
    restricted.insert(restricted.end(), images.begin() + j * nodes, images.begin() + j * nodes + last);
  double largest = 0;
  for (const auto value : eigenvalues(std::move(restricted), topology.nodes() - 1))
    largest = std::max(largest, std::abs(value));
  return std::exp((log_scale + std::log(largest)) / static_cast<double>(rounds));
}

// Power iteration on the vectors of sum zero: how much a round contracts a random one, over the second half of as many
// rounds as there is time for.
double estimated_contraction(const Topology& topology) {
  const auto nodes = static_cast<std::size_t>(topology.nodes());
  const std::int64_t rounds = rounds_looked_at(topology);
  const double work = edges_of_period(topology) + static_cast<double>(nodes) * static_cast<double>(rounds);
  const std::int64_t repeats = std::max<std::int64_t>(1, static_cast<std::int64_t>(kEstimateWork / 2 / work));
  const std::int64_t half = topology.period() > 0 ? repeats * rounds : rounds / 2;
  Vector x(nodes), y(nodes);
  for (std::size_t i = 0; i < nodes; ++i) x[i] = random_uniform({.seed = 0, .purpose = Purpose::kTopology, .node = i});
  double log_norm = 0;
  remove_mean(x);
  TopologyRound drawn;
  for (std::int64_t t = 0; t < 2 * half; ++t) {
    mix(round_at(topology, t, drawn), x, y);
    std::swap(x, y);
    const double norm = remove_mean(x);
    if (norm == 0) return 0;
    for (double& value : x) value /= norm;
    if (t >= half) log_norm += std::log(norm);
  }
  return std::exp(log_norm / static_cast<double>(half));
}

}  // namespace

MixingSpeed mixing_speed(const Topology& topology) {
  if (topology.nodes() == 1) return {};
  if (const auto moduli = circulant_moduli(topology))
    return {.rho = std::pow(*std::ranges::max_element(*moduli), 1.0 / static_cast<double>(topology.period()))};
  const bool few = topology.nodes() <= kMostNodesExact;
  if (few && edges_of_period(topology) * topology.nodes() <= kMostProductWork)
    return {.rho = second_modulus_per_round(topology)};
  return {.rho = estimated_contraction(topology), .estimated = true};
}

std::int64_t rounds_to_contract(const Topology& topology, double remaining) {
  const double rho = mixing_speed(topology).rho;
  if (rho <= 0) return rounds_looked_at(topology);
  constexpr double kSlack = 1e-9;                            // a whole number of rounds, plus rounding, is not one more
  constexpr double kForever = 1e15;                          // more than any run has
  if (rho >= 1) return static_cast<std::int64_t>(kForever);  // by rounding: every topology contracts
  const double rounds = std::ceil(std::log(remaining) / std::log(rho) - kSlack);
  const auto least = std::max<std::int64_t>(1, topology.period());
  return std::max(least, static_cast<std::int64_t>(rounds < kForever ? rounds : kForever));
}

bool push_sum_is_idle(const Topology& topology) {
  const Vector ones(topology.nodes(), 1.0);
  Vector mixed(topology.nodes());
  TopologyRound drawn;
  for (std::int64_t t = 0; t < rounds_looked_at(topology); ++t) {
    mix(round_at(topology, t, drawn), ones, mixed);
    for (const double value : mixed)
      if (std::abs(value - 1) > kIdleTolerance) return false;
  }
  return true;
}

}  // namespace sparsepush
