#include "host/topologies/base_graph.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

using Nodes = std::vector<int>;

struct Pair {
  int first = 0, second = 0;
  double weight = 0;
};
using Pairs = std::vector<Pair>;
using Rounds = std::vector<Pairs>;

void append(Pairs& to, const Pairs& pairs) { to.insert(to.end(), pairs.begin(), pairs.end()); }

/// The largest divisor of `count` without prime factors above `base`.
int smooth_part(int count, int base) {
  int part = 1;
  for (int factor = 2; factor <= base && factor <= count; ++factor)
    for (; count % factor == 0; count /= factor) part *= factor;
  return part;
}

/// Rounds in which groups of f nodes take their mean, for factors f <= base of their number, which must have such.
Rounds cube(const Nodes& nodes, int base) {
  std::vector<int> factors;
  const int count = static_cast<int>(nodes.size());
  for (int left = count, factor = std::min(base, count); left > 1; factor = std::min(factor, left))
    if (left % factor == 0)
      factors.push_back(factor), left /= factor;
    else
      --factor;
  std::ranges::sort(factors);
  Rounds rounds;
  int stride = 1;
  for (const int factor : factors) {
    Pairs& round = rounds.emplace_back();
    for (int a = 0; a < count; ++a)
      for (int b = a + stride; b < count && b / stride / factor == a / stride / factor; b += stride)
        round.push_back({nodes[a], nodes[b], 1.0 / factor});
    stride *= factor;
  }
  return rounds;
}

/// Nodes of a digit of their number written in base `base`, as blocks of one power of it.
struct Part {
  std::vector<Nodes> blocks;
  Rounds whole, of_block;  ///< of_block: all blocks at once
  std::size_t played = 0;  ///< rounds on its own since its exchange with the parts behind it

  int count() const { return static_cast<int>(blocks.size() * blocks.front().size()); }

  /// The next round by which the part, or each of its blocks, comes to its mean.
  void play(Pairs& round, int base) {
    const Rounds& rounds = count() < base ? whole : of_block;
    if (!rounds.empty()) append(round, rounds[played++ % rounds.size()]);
  }

  /// Groups of `base` nodes that were not used take their mean.
  void join_rest(const std::vector<Nodes>& unused, Pairs& round, int base) const {
    Nodes rest;
    for (const Nodes& block : unused) rest.insert(rest.end(), block.begin(), block.end());
    for (auto group = rest.begin(); rest.end() - group > 1;) {
      const auto end = group + std::min<std::ptrdiff_t>(base, rest.end() - group);
      for (auto a = group; a != end; ++a)
        for (auto b = a + 1; b != end; ++b) round.push_back({*a, *b, 1.0 / static_cast<double>(end - group)});
      group = end;
    }
  }
};

std::vector<Part> parts_of(const Nodes& nodes, int base) {
  const int count = static_cast<int>(nodes.size());
  int power = 1;
  while (power <= count / base) power *= base;
  std::vector<Part> parts;
  auto begin = nodes.begin();
  for (; power > 0; power /= base) {
    const int digit = static_cast<int>(nodes.end() - begin) / power;
    if (digit == 0) continue;
    Part& part = parts.emplace_back();
    part.whole = cube(Nodes(begin, begin + digit * power), base);
    for (int block = 0; block < digit; ++block, begin += power) {
      const Rounds own = cube(part.blocks.emplace_back(begin, begin + power), base);
      part.of_block.resize(own.size());
      for (std::size_t m = 0; m < own.size(); ++m) append(part.of_block[m], own[m]);
    }
  }
  return parts;
}

/// Part c gives the mean of the nodes from it on to those behind it, a neighbour in each of its blocks to every node.
void exchange(const std::vector<Part>& parts, std::size_t c, Pairs& round, int base) {
  const Part& part = parts[c];
  std::vector<Nodes> unused = part.blocks;
  int behind = 0;
  for (std::size_t l = c + 1; l < parts.size(); ++l) behind += parts[l].count();
  const double weight = static_cast<double>(part.count()) / (part.count() + behind) / std::ssize(part.blocks);
  for (std::size_t l = parts.size() - 1; l > c; --l)
    for (const Nodes& block : parts[l].blocks)
      for (const int node : block)
        for (Nodes& free : unused) {
          round.push_back({node, free.back(), weight});
          free.pop_back();
        }
  part.join_rest(unused, round, base);
}

Rounds simple(const Nodes& nodes, int base) {
  const int count = static_cast<int>(nodes.size());
  if (smooth_part(count, base) == count) return cube(nodes, base);
  std::vector<Part> parts = parts_of(nodes, base);
  const std::size_t first_rounds = parts.front().whole.size(), last = parts.size() - 1;
  Rounds rounds;
  while (parts.front().played < parts.front().of_block.size()) {
    const std::size_t m = rounds.size();
    Pairs& round = rounds.emplace_back();
    if (m < first_rounds) {
      for (const Part& part : parts)
        if (!part.whole.empty()) append(round, part.whole[m % part.whole.size()]);
      continue;
    }
    const std::size_t c = m - first_rounds;
    if (c < last) exchange(parts, c, round, base);
    for (std::size_t l = 0; l < parts.size(); ++l)
      if (l < c || (l == last && c == last)) parts[l].play(round, base);
  }
  return rounds;
}

Rounds base_graph(int count, int base) {
  Nodes all(count);
  std::iota(all.begin(), all.end(), 0);
  const int groups = smooth_part(count, base), size = count / groups;
  Rounds rounds;
  for (int group = 0; group < groups; ++group) {
    const Rounds own = simple(Nodes(all.begin() + group * size, all.begin() + (group + 1) * size), base);
    rounds.resize(own.size());
    for (std::size_t m = 0; m < own.size(); ++m) append(rounds[m], own[m]);
  }
  const std::size_t within = rounds.size();
  for (int position = 0; position < size; ++position) {
    Nodes across;
    for (int group = 0; group < groups; ++group) across.push_back(group * size + position);
    const Rounds own = cube(across, base);
    rounds.resize(within + own.size());
    for (std::size_t m = 0; m < own.size(); ++m) append(rounds[within + m], own[m]);
  }
  const Rounds at_once = simple(all, base);
  return at_once.size() < rounds.size() ? at_once : rounds;
}

TopologyRound round_of(int nodes, const Pairs& pairs) {
  TopologyRound round{.edges = {}, .self_weight = std::vector<double>(nodes, 1.0)};
  for (const auto& [first, second, weight] : pairs) {
    round.edges.insert(round.edges.end(), {{first, second, weight}, {second, first, weight}});
    for (const int node : {first, second}) round.self_weight[node] -= weight;
  }
  std::ranges::sort(round.edges, {}, [](const Edge& edge) { return std::tuple(edge.target, edge.source); });
  return round;
}

/// More than a period has.
std::int64_t most_edges(int nodes, int degree) {
  std::int64_t rounds = 2;
  for (std::int64_t power = 1; power < nodes; power *= degree + 1) rounds += 2;
  return degree + 1 >= nodes ? std::int64_t{nodes} * (nodes - 1) : std::int64_t{nodes} * degree * rounds;
}

}  // namespace

std::vector<TopologyRound> base_graph_rounds(int nodes, int degree) {
  std::vector<TopologyRound> rounds;
  for (const Pairs& pairs : base_graph(nodes, degree + 1)) rounds.push_back(round_of(nodes, pairs));
  if (rounds.empty()) rounds.push_back(round_of(nodes, {}));  // one node
  return rounds;
}

TopologyKind base_graph_row() {
  return {.name = "base_graph",
          .keys = {"degree"},
          .is_undirected = true,
          .has_own_weights = true,
          .default_degree = 1,
          .count_edges =
              [](const TopologyConfig& config, int nodes) {
                if (config.degree < 1 || (nodes > 1 && config.degree >= nodes))
                  throw InputError(
                      "topology.degree: expected 1 <= degree < run.nodes with {}, got degree {} for {} nodes",
                      config.name, config.degree, nodes);
                return most_edges(nodes, config.degree);
              },
          .period = [](const TopologyConfig& config, int nodes,
                       std::uint64_t) { return base_graph_rounds(nodes, config.degree); }};
}

}  // namespace sparsepush
