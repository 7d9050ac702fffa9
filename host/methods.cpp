#include "host/methods.h"

#include <algorithm>
#include <iterator>

#include "host/wire_format.h"

namespace sparsepush {
namespace {

template <class Row, class Predicate>
std::vector<std::string_view> names_where(const std::vector<Row>& table, const Predicate& holds) {
  std::vector<std::string_view> names;
  for (const Row& row : table)
    if (holds(row)) names.push_back(row.name);
  return names;
}

bool has_key(const std::vector<std::string>& keys, std::string_view key) {
  return std::ranges::find(keys, key) != keys.end();
}

/// Whether other shards receive its rows.
bool is_sent(const StateArray& array, const Rows& rows) {
  const auto sends = [&](const std::optional<Message>& message) { return message && contains(message->arrays, array); };
  return sends(rows.method.message) || sends(rows.method.final_message);
}

}  // namespace

std::vector<std::string_view> methods_with(std::string_view key) {
  return names_where(methods(), [&](const Method& method) { return has_key(method.keys, key); });
}

std::vector<std::string_view> methods_that_compress() {
  return names_where(methods(), [](const Method& method) { return method.compresses(); });
}

std::vector<std::string_view> compressors_with(std::string_view key) {
  return names_where(compressors(), [&](const Compressor& compressor) { return has_key(compressor.keys, key); });
}

Rows rows_of(const Config& config) {
  Rows rows{.method = row_named(methods(), "algorithm.name", config.algorithm.name),
            .optimizer = row_named(optimizers(), "optimizer.kind", config.optimizer.kind),
            .compressor = {}};
  if (rows.method.compresses())
    rows.compressor = row_named(compressors(), "algorithm.compressor", config.algorithm.compressor);
  return rows;
}

double default_averaging_rate(const Rows& rows, const AlgorithmConfig& algorithm) {
  if (rows.method.averaging_rate || !rows.compressor) return rows.method.averaging_rate.value_or(1.0);
  return rows.compressor->averaging_rate(algorithm);
}

StateList state_of(const Rows& rows, const StateList& own) {
  StateList list = {&state::x};
  const auto add = [&](const StateList& more) {
    std::ranges::copy_if(more, std::back_inserter(list), [&](const StateArray* a) { return !contains(list, *a); });
  };
  add(rows.optimizer.state);
  add(rows.method.state);
  add(own);
  add({&state::gradient, &state::u});
  if (rows.compressor) add(rows.compressor->messages);
  for (const auto& message : {rows.method.message, rows.method.final_message})
    if (message) add(message->arrays);
  return list;
}

std::vector<PlannedState> planned_state(const StateList& list, const Rows& rows, const Extent& extent) {
  std::vector<PlannedState> planned;
  for (const StateArray* array : list) {
    const bool of_nodes = array->per == Per::kNode || array->per == Per::kSlot;
    const std::int64_t local = of_nodes ? extent.rows : array->per == Per::kReplica ? extent.replicas : 1;
    const bool has_halo = array->per == Per::kSlot || (of_nodes && is_sent(*array, rows));
    planned.push_back({array, local + (has_halo ? extent.halo : 0), local});
  }
  return planned;
}

MessageBytes bytes_of(const Message& message, const Rows& rows, const Extent& extent) {
  if (message.compressed) return rows.compressor->bytes(extent);
  std::int64_t elements = 0;
  for (const StateArray* array : message.arrays) elements += array->elements_in(extent);
  return plain_message_bytes(extent.params, 4 * elements);
}

}  // namespace sparsepush
