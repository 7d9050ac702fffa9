// [topology] and [algorithm]: who sends what to whom.
#include "data/table.h"
#include "host/config/section_fields.h"
#include "host/recipe/methods.h"
#include "host/topologies/topologies.h"
#include "models/norms.h"

namespace sparsepush {
namespace {

OnlyFor of_topologies(std::string_view key) { return when("topology.name", names_with_key(topologies(), key)); }

Choices topologies_that_are_weighted() {
  Choices names;
  for (const TopologyKind& kind : topologies())
    if (!kind.has_own_weights) names.push_back(kind.name);
  return names;
}

Choices norms_with_statistics() {
  Choices names;
  for (const NormKind& norm : norms())
    if (norm.has_statistics) names.push_back(norm.name);
  return names;
}

}  // namespace

std::vector<Field> topology_fields() {
  using T = TopologyConfig;
  constexpr auto topology = &Config::topology;
  const OnlyFor used = when("algorithm.name", methods_with_topology());
  return {
      {.key = "name",
       .meaning = "who sends to whom",
       .member = at<topology, &T::name>,
       .constraint = names_of(topologies()),
       .only_for = {used},
       .also_called = "graph graph_type"},
      {.key = "degree",
       .meaning = "others that every node sends to; of base_graph: at most, in a round",
       .member = at<topology, &T::degree>,
       .constraint = IntegerRange{1, kMany},
       .only_for = {of_topologies("degree"), used},
       .default_in_words = "2 with `random_out`, 1 with `base_graph`, else 4",
       .also_called = "outdegree peers"},
      {.key = "probability",
       .meaning = "of an edge of erdos_renyi; of rewiring one of small_world",
       .member = at<topology, &T::probability>,
       .constraint = NumberRange{0, 1},
       .only_for = {of_topologies("probability"), used},
       .also_called = "p"},
      {.key = "rows",
       .meaning = "of the torus; 0: the largest divisor of run.nodes up to its root",
       .member = at<topology, &T::rows>,
       .constraint = IntegerRange{0, kMany},
       .only_for = {of_topologies("rows"), used}},
      {.key = "radius",
       .meaning = "within which points of the unit square are joined; 0: sqrt(2 ln N / N) for N nodes",
       .member = at<topology, &T::radius>,
       .constraint = NumberRange{0, 2},
       .only_for = {of_topologies("radius"), used}},
      {.key = "redraw",
       .meaning = "others in every round",
       .member = at<topology, &T::redraw>,
       .only_for = {of_topologies("redraw"), used},
       .also_called = "dynamic time_varying"},
      {.key = "undirected",
       .meaning = "adds the other way of every edge that lacks it",
       .member = at<topology, &T::undirected>,
       .only_for = {of_topologies("undirected"), used},
       .also_called = "symmetric bidirectional",
       .came_later = true},
      {.key = "weights",
       .meaning =
           "uniform: a node sends as much to each as it keeps; metropolis: 1 / (1 + the larger degree of an edge's "
           "ends), for edges that lead both ways; a file may have weights of its own",
       .member = at<topology, &T::weights>,
       .constraint = Choices{"uniform", "metropolis"},
       .only_for = {when("topology.name", topologies_that_are_weighted()), used},
       .also_called = "mixing"},
      {.key = "file",
       .meaning = "edges, of each round or of all: `source,target[,weight]`, separated by commas or blanks; or a graph "
                  "of METIS "
                  "(.graph, .metis), or a matrix of MatrixMarket (.mtx)",
       .member = at<topology, &T::file>,
       .only_for = {of_topologies("file"), used},
       .also_called = "path edges",
       .is_file = true},
  };
}

std::vector<Field> algorithm_fields() {
  using C = AlgorithmConfig;
  constexpr auto algorithm = &Config::algorithm;
  const OnlyFor compressed = when("algorithm.name", methods_that_compress());
  const Choices merging = names_with_key(methods(), "final_rounds");
  const OnlyFor merges = when("algorithm.name", merging);
  const auto of_compressors = [](std::string_view key) {
    return when("algorithm.compressor", names_with_key(compressors(), key));
  };
  const OnlyFor selects = of_compressors("keep");
  return {
      {.key = "name",
       .meaning = "what nodes send and how they mix it",
       .member = at<algorithm, &C::name>,
       .constraint = names_of(methods()),
       .also_called = "method"},
      {.key = "compressor",
       .meaning = "how messages are compressed",
       .member = at<algorithm, &C::compressor>,
       .constraint = names_of(compressors()),
       .only_for = {compressed},
       .default_in_words = "by method: `qsgd` with `quantized_push_sum`, else `top_k`",
       .also_called = "compression"},
      {.key = "compress",
       .meaning = "parameters and error memory; or what a node's steps have added up to, which reaches one hop",
       .member = at<algorithm, &C::compress>,
       .constraint = Choices{"parameters", "update"},
       .only_for = {default_unless("algorithm.name", names_with_key(methods(), "compress"))},
       .came_later = true},
      {.key = "scope",
       .meaning = "messages hold entries of each tensor, or of the whole model",
       .member = at<algorithm, &C::scope>,
       .constraint = Choices{"layer", "global"},
       .only_for = {compressed, selects}},
      {.key = "keep",
       .meaning = "share of the entries that messages hold",
       .member = at<algorithm, &C::keep>,
       .constraint = NumberRange{0, 1, true},
       .only_for = {compressed, selects},
       .also_called = "topk top_k k ratio sparsity compression_ratio density",
       .by_replica = true},
      {.key = "value_bits",
       .meaning = "of each entry's value: 32, or 16 for bfloat16",
       .member = at<algorithm, &C::value_bits>,
       .constraint = IntegerRange{16, 32},
       .only_for = {compressed, of_compressors("value_bits")},
       .came_later = true},
      {.key = "levels",
       .meaning = "that magnitudes are rounded to, beside 0",
       .member = at<algorithm, &C::levels>,
       .constraint = IntegerRange{1, 65535},
       .only_for = {compressed, of_compressors("levels")},
       .also_called = "quantization_levels bits",
       .came_later = true},
      {.key = "rank",
       .meaning = "of the two factors that each matrix is sent as",
       .member = at<algorithm, &C::rank>,
       .constraint = IntegerRange{1, kMany},
       .only_for = {compressed, of_compressors("rank")},
       .came_later = true},
      {.key = "averaging_rate",
       .meaning = "eta: how far a node goes towards what it hears",
       .member = at<algorithm, &C::averaging_rate>,
       .constraint = NumberRange{0, 1, true},
       .only_for = {when("algorithm.name", names_with_key(methods(), "averaging_rate"))},
       .default_in_words = "as method and compressor say: `keep`, 0.5 or 1; else it has to be set",
       .also_called = "eta gamma consensus_lr consensus_rate",
       .by_replica = true},
      {.key = "averaging_decay",
       .meaning = "factors of averaging_rate, from each milestone of the optimizer on",
       .member = at<algorithm, &C::averaging_decay>,
       .constraint = NumberRange{0, 1, true},
       .only_for = {when("algorithm.name", names_with_key(methods(), "averaging_rate")),
                    when("optimizer.schedule", {"steps"})},
       .came_later = true,
       .by_replica = true},
      {.key = "monitor",
       .meaning = "bounds the variance of models by their mean squared distance from the last sync (naive), less what "
                  "they went together in the direction of that sync (linear)",
       .member = at<algorithm, &C::monitor>,
       .constraint = Choices{"linear", "naive"},
       .only_for = {when("algorithm.name", names_with_key(methods(), "monitor"))}},
      {.key = "threshold",
       .meaning = "nodes average where the bound exceeds it; auto: 4.91e-5 times the parameters of a node",
       .member = at<algorithm, &C::threshold>,
       .constraint = NumberRange{0, 1e12},
       .only_for = {when("algorithm.name", names_with_key(methods(), "threshold"))},
       .also_called = "theta"},
      {.key = "local_steps",
       .meaning = "SGD steps from one round of gossip to the next",
       .member = at<algorithm, &C::local_steps>,
       .constraint = IntegerRange{1, kForever},
       .only_for = {default_unless("algorithm.name", names_with_key(methods(), "local_steps"))},
       .also_called = "h local_epochs"},
      {.key = "blocks",
       .meaning = "that a model is cut into, of which one is mixed in each round, in turn",
       .member = at<algorithm, &C::blocks>,
       .constraint = IntegerRange{1, kForever},
       .only_for = {when("algorithm.name", names_with_key(methods(), "blocks"))},
       .default_in_words = "none: it must be set"},
      {.key = "final_rounds",
       .meaning = "rounds of dense gossip after the last step; auto: until 0.1 % of the disagreement is left",
       .member = at<algorithm, &C::final_rounds>,
       .constraint = IntegerRange{1, kForever},
       .only_for = {default_unless("algorithm.name", merging)},
       .changes_bits = false},
      {.key = "final",
       .meaning = "merging by these rounds, or by one exact mean",
       .member = at<algorithm, &C::final>,
       .constraint = Choices{"gossip", "all_reduce"},
       .only_for = {merges}},
      {.key = "final_statistics",
       .meaning = "running statistics after the last round: the nodes' mean, or estimated anew by each node",
       .member = at<algorithm, &C::final_statistics>,
       .constraint = Choices{"average", "local"},
       .only_for = {merges, when("model.norm", norms_with_statistics())}},
  };
}

}  // namespace sparsepush
