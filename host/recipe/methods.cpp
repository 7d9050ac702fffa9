#include "host/recipe/methods.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "data/files/input_error.h"
#include "host/recipe/message_bytes.h"
#include "kernels/backend/check.h"
#include "kernels/mixing/block_mix.h"

namespace sparsepush {
namespace {

/// Returns whether other shards receive the array's rows.
bool is_sent(const StateArray& array, const Recipe& recipe) {
  const auto sends = [&](const std::optional<Message>& message) { return message && contains(message->arrays, array); };
  return sends(recipe.method.message) || sends(recipe.method.final_message);
}

/// Names what else checkpoints hold.
constexpr std::string_view kTaken[] = {"statistics",       "step",       "train_loss_sum",
                                       "train_loss_steps", "bytes_wire", "traffic"};

bool is_alike(const StateArray& a, const StateArray& b) {
  return a.per == b.per && a.width == b.width && a.columns == b.columns && a.saved == b.saved && a.dtype == b.dtype &&
         a.starts_as == b.starts_as;
}

}  // namespace

bool mixes_push_weights(const Method& method) {
  const auto sends = [](const std::optional<Message>& m) { return m && contains(m->arrays, state::sent_u); };
  return sends(method.message) || sends(method.final_message);
}

std::optional<double> fixed_averaging_rate(const Method& method) {
  return method.fixed_rate ? method.averaging_rate : std::nullopt;
}

std::vector<std::string_view> methods_that_compress() {
  std::vector<std::string_view> names;
  for (const Method& method : methods())
    if (method.compresses()) names.push_back(method.name);
  return names;
}

Recipe recipe_of(const Config& config) {
  Recipe recipe{.method = row_named(methods(), "algorithm.name", config.algorithm.name),
                .optimizer = row_named(optimizers(), "optimizer.kind", config.optimizer.kind),
                .compressor = {}};
  if (config.algorithm.compress == "update" && contains(recipe.method.state, state::error))
    recipe.method = compressing_updates(std::move(recipe.method));
  if (recipe.method.compresses())
    recipe.compressor = row_named(compressors(), "algorithm.compressor", config.algorithm.compressor);
  return recipe;
}

void check_optimizer(const Recipe& recipe) {
  const Method& method = recipe.method;
  const Optimizer& optimizer = recipe.optimizer;
  constexpr std::string_view kInstead = "; use heavy_ball or nesterov";
  if (method.corrects_drift && optimizer.follows_mixing)
    throw InputError("optimizer.kind: {} corrects the drift between nodes a second time, after {}{}", optimizer.name,
                     method.name, kInstead);
  if (method.corrects_drift && optimizer.preconditions)
    throw InputError("optimizer.kind: {} scales steps in each node in another way, which {} does not correct{}",
                     optimizer.name, method.name, kInstead);
  const bool mixes = method.message && !contains(method.message->arrays, state::gradient);
  if (optimizer.follows_mixing && !mixes)
    throw InputError("optimizer.kind: {} follows what mixing does to parameters, and {} mixes none{}", optimizer.name,
                     method.name, kInstead);
}

bool merges_by_all_reduce(const AlgorithmConfig& algorithm) { return algorithm.final == "all_reduce"; }

std::optional<double> default_averaging_rate(const Recipe& recipe, const AlgorithmConfig& algorithm) {
  if (recipe.method.averaging_rate || !recipe.compressor) return recipe.method.averaging_rate.value_or(1.0);
  if (!recipe.compressor->averaging_rate) return std::nullopt;
  return recipe.compressor->averaging_rate(algorithm);
}

void set_blocks(Extent& extent, const Method& method, const AlgorithmConfig& algorithm, const RowLayout& layout) {
  if (!method.block_weights) return;
  extent.blocks = algorithm.blocks;
  extent.block = longest_block(layout, algorithm.blocks);
}

StateList state_of(const Recipe& recipe, const StateList& own) {
  StateList list = {&state::x};
  const auto add = [&](const StateList& more) {
    for (const StateArray* array : more) {
      const auto same = std::ranges::find(list, array->name, &StateArray::name);
      CHECK(std::ranges::find(kTaken, array->name) == std::end(kTaken), "a state array cannot be called ", array->name);
      CHECK(same == list.end() || is_alike(**same, *array), "two state arrays are called ", array->name);
      if (same == list.end()) list.push_back(array);
    }
  };
  add(recipe.optimizer.state);
  add(recipe.method.state);
  if (recipe.compressor) add(recipe.compressor->state);
  add(own);
  add({&state::gradient, &state::u});
  if (recipe.compressor) add(recipe.compressor->messages);
  for (const auto& message : {recipe.method.message, recipe.method.final_message, recipe.method.monitor})
    if (message) add(message->arrays);
  return list;
}

std::vector<PlannedState> planned_state(const StateList& list, const Recipe& recipe, const Extent& extent) {
  std::vector<PlannedState> planned;
  for (const StateArray* array : list) {
    const bool has_halo = array->per == Per::kSlot || (array->is_of_nodes() && is_sent(*array, recipe));
    const std::int64_t local = array->rows_in(extent);
    planned.push_back({array, local + (has_halo ? extent.halo : 0), local});
  }
  return planned;
}

std::int64_t extra_bytes(const Message& message, const Extent& extent) {
  std::int64_t elements = 0;
  for (const StateArray* array : message.arrays)
    if (array->name != state::sent_u.name) elements += array->elements_in(extent);
  return 4 * elements;
}

MessageBytes bytes_of(const Message& message, const Recipe& recipe, const AlgorithmConfig& algorithm,
                      const RowLayout& layout, const Extent& extent) {
  const std::int64_t extra = extra_bytes(message, extent);
  if (!message.compressed)
    return plain_message_bytes(extent.params, extra + (contains(message.arrays, state::sent_u) ? 4 : 0));
  MessageBytes bytes = recipe.compressor->bytes(algorithm, layout);
  for (std::int64_t* part : {&bytes.authors, &bytes.coo32, &bytes.wire}) *part += extra;
  return bytes;
}

}  // namespace sparsepush
