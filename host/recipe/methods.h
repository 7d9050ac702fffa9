// The table of methods: the valid names, and all that the rest of the program knows about each. A row stands in the
// method's own file in host/algorithms/.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/table.h"
#include "host/recipe/compressors.h"
#include "host/recipe/on_both_backends.h"
#include "host/recipe/optimizers.h"
#include "kernels/nodes/state.h"

namespace sparsepush {

struct PlannedRound;

/// What a node sends along each of its out-edges in a round. Arrays cost 4 bytes an element, u among them; in a
/// compressed message Q and u cost what the compressor says.
struct Message {
  StateList arrays;
  bool compressed = false;  ///< Q goes with them
};

/// What a method demands of its topology.
struct Needs {
  bool is_static = false;          ///< the same edges in every round
  bool doubly_stochastic = false;  ///< rows of P sum to 1 as well
  bool symmetric = false;          ///< p_ij = p_ji
  double self_weight = 0;          ///< 1 - eta (1 - p_ii) of every node must be above it, if it is above 0
  bool topology = true;            ///< else messages go to all nodes, and no key of [topology] counts
  bool unbiased = false;           ///< a compressor whose Q is v in the mean, and no other averaging rate than its own
};

/// `play` is a step that ends with a round of gossip, after its gradients; other steps are the optimizer's alone.
struct Method {
  std::string name;
  std::string colour = "#808080";             ///< colour of its lines in reports; "currentColor": the text's
  StateList state = {};                       ///< arrays beside x, u, the gradient and the optimizer's
  std::optional<Message> message = {};        ///< without one nothing is sent
  std::optional<Message> final_message = {};  ///< with one, rounds of merging without SGD may follow the last step
  std::optional<Message> monitor = {};  ///< with one, exchanged in every step, and by it the method decides itself
                                        ///< when `message` is
  Needs needs = {};
  bool steps_alike = false;  ///< nodes take one step, also those without data: these have weight decay as well
  std::vector<std::string> keys = {};         ///< keys of [algorithm] that count for it, beside its compressor's
  std::optional<double> averaging_rate = {};  ///< default of algorithm.averaging_rate; else the compressor's
  bool fixed_rate = false;                    ///< averaging_rate counts whatever is configured
  std::string compressor = "top_k";           ///< the default, for methods that compress
  bool corrects_drift = false;                ///< the drift of nodes whose gradients differ
  const Array<float>* steps_into = nullptr;   ///< takes every step that x takes
  /// [nodes, blocks] push-sum weights of the blocks of a row, where u is not the weight of all: z stands in memory
  /// then.
  const Array<double>* block_weights = nullptr;
  OnBothBackends<const PlannedRound&> play;

  bool compresses() const { return message && message->compressed; }
};

/// Lists all methods, in the order in which `sparsepush methods` prints them.
const std::vector<Method>& methods();

/// Returns whether u may leave 1: other methods neither mix nor send it.
bool mixes_push_weights(const Method& method);

/// Lists the methods for which [topology] counts, by name.
std::vector<std::string_view> methods_with_topology();
/// Lists the methods that send compressed messages, by name.
std::vector<std::string_view> methods_that_compress();

/// Returns the averaging rate of a method that has a fixed one, whatever is configured.
std::optional<double> fixed_averaging_rate(const Method& method);

/// What a run is made of: rows of the tables, or a user's own.
struct Recipe {
  Method method;
  Optimizer optimizer;
  std::optional<Compressor> compressor;  ///< for methods that compress
};

/// Finds the recipe that a configuration names. Throws InputError about a name that no table has.
Recipe recipe_of(const Config& config);

/// Returns whether the final rounds are one exact mean instead of gossip.
bool merges_by_all_reduce(const AlgorithmConfig& algorithm);

/// Returns whether an op may take the optimizer's step in a pass of its own.
inline bool fuses(const Recipe& recipe) {
  return recipe.optimizer.fuses && !recipe.method.steps_into && !recipe.method.block_weights;
}

/// Throws InputError about an optimizer that comes to nothing with the method, and says why.
void check_optimizer(const Recipe& recipe);

/// Returns the row of a method with error memory that sends what its steps have added up to, instead of its parameters.
Method compressing_updates(Method row);

/// Returns the averaging rate where the configuration does not set one; 1 for methods that have none, nothing where it
/// has to be set.
std::optional<double> default_averaging_rate(const Recipe& recipe, const AlgorithmConfig& algorithm);

/// Completes an extent by what rows are cut into, if the method does that.
void set_blocks(Extent& extent, const Method& method, const AlgorithmConfig& algorithm, const RowLayout& layout);

/// Lists every array of a run, in the order of checkpoints. `own`: arrays of what is learned.
StateList state_of(const Recipe& recipe, const StateList& own = {});

/// Gives each array of a list its rows: on a shard, or on all shards together.
std::vector<PlannedState> planned_state(const StateList& list, const Recipe& recipe, const Extent& extent);

/// Counts the bytes of a message's arrays beside what the compressor counts, which includes u.
std::int64_t extra_bytes(const Message& message, const Extent& extent);

/// Counts the bytes of one message, by every convention.
MessageBytes bytes_of(const Message& message, const Recipe& recipe, const AlgorithmConfig& algorithm,
                      const RowLayout& layout, const Extent& extent);

}  // namespace sparsepush
