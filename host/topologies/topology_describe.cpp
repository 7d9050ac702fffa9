#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "host/topologies/topology.h"

namespace sparsepush {
namespace {

constexpr std::size_t kMostEdgesDrawn = 200;  // more make no picture
constexpr std::int64_t kMostRoundsDrawn = 8;

std::string line(std::string_view name, const std::string& value) { return fmt::format("{:<15}{}\n", name, value); }

template <class T>
std::string range_of(const std::vector<T>& values) {
  const auto ends = std::ranges::minmax(values);
  const auto least = static_cast<double>(ends.min), most = static_cast<double>(ends.max);
  return least == most ? fmt::format("{:.6g}", least) : fmt::format("{:.6g} to {:.6g}", least, most);
}

std::string rounds_line(const Topology& topology) {
  if (topology.period() == 0) return "drawn anew every round";
  return topology.period() == 1 ? "static" : fmt::format("period of {} rounds", topology.period());
}

// Degrees and self weights of one round.
std::string describe_round(const TopologyRound& round, std::int64_t t) {
  std::vector<int> out(round.self_weight.size(), 0), in(out);
  for (const Edge& edge : round.edges) {
    ++out[edge.source];
    ++in[edge.target];
  }
  return line(fmt::format("round {}", t),
              fmt::format("{} edges; out-degree {}, in-degree {}, self weight {}", round.edges.size(), range_of(out),
                          range_of(in), range_of(round.self_weight)));
}

std::string describe_speed(const Topology& topology) {
  const MixingSpeed speed = mixing_speed(topology);
  const std::string how = speed.estimated ? "estimated by power iteration" : "from all eigenvalues";
  return line("rho", fmt::format("{:.9g} a round, {}", speed.rho, how)) +
         line("spectral gap", fmt::format("{:.6g}", 1 - speed.rho)) +
         line("rounds to 1 %", fmt::format("{}", rounds_to_contract(topology, 0.01)));
}

}  // namespace

std::string round_dot(const TopologyRound& round, std::int64_t t) {
  std::string text = fmt::format("digraph round_{} {{\n", t);
  for (std::size_t node = 0; node < round.self_weight.size(); ++node) text += fmt::format("  {};\n", node);
  for (const Edge& edge : round.edges)
    text += fmt::format("  {} -> {} [label=\"{:.4g}\"];\n", edge.source, edge.target, edge.weight);
  return text + "}\n";
}

std::string describe_topology(const Topology& topology) {
  const std::int64_t rounds = topology.period() <= kMostRoundsDrawn ? std::max<std::int64_t>(1, topology.period()) : 1;
  std::string text = line("topology", topology.name());
  std::string pictures;
  std::size_t edges = 0;
  text += line("nodes", fmt::format("{}", topology.nodes()));
  text += line("rounds", rounds_line(topology));
  for (std::int64_t t = 0; t < rounds; ++t) {
    const TopologyRound round = topology.round(t);
    text += describe_round(round, t);
    edges += round.edges.size();
    if (edges <= kMostEdgesDrawn) pictures += round_dot(round, t);
  }
  text += describe_speed(topology);
  text += line("push-sum", push_sum_is_idle(topology) ? "idle: all u stay 1" : "active: rows do not sum to 1");
  if (edges <= kMostEdgesDrawn) return text + "\n" + pictures;
  return text + line("DOT", fmt::format("left out: {} edges, more than {}", edges, kMostEdgesDrawn));
}

}  // namespace sparsepush
