// What a run measures at an evaluation.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sparsepush {

/// The score of a task that has columns of its own.
inline constexpr std::string_view kAccuracy = "accuracy";

/// A score of the tested nodes of a replica, and of their mean model.
struct ScoreSummary {
  double mean = 0, min = 0, max = 0, mean_model = 0;
};

/// The scores of one tested node.
struct NodeScores {
  int node = 0;
  double loss = 0;
  std::optional<double> accuracy = {};  ///< none where the task has no such score
};

/// One line per replica and evaluation; empty where undefined. Accuracies are fractions in [0, 1].
struct MetricsRow {
  int replica = 0;
  std::int64_t step = 0;  ///< SGD steps and final rounds done
  std::optional<std::int64_t> epoch = {};
  std::optional<double> lr = {};
  std::optional<double> train_loss = {}, test_loss = {}, loss_mean_model = {};
  std::optional<ScoreSummary> accuracy = {};  ///< none where the task has no such score
  std::optional<double> consensus = {};       ///< none if the mean model is 0
  double u_sum = 0, u_min = 0, u_max = 0;
  std::optional<double> error_ratio = {};
  std::int64_t messages = 0;  ///< cumulative, as the bytes
  std::int64_t bytes_authors = 0, bytes_coo32 = 0, bytes_wire = 0, bytes_dense = 0;
  std::optional<std::int64_t> syncs = {};       ///< cumulative; a column of methods that decide themselves when
  std::vector<ScoreSummary> other_scores = {};  ///< the task's scores but accuracy, in its order
  std::vector<NodeScores> nodes = {};           ///< every tested node; lines of nodes.csv
};

}  // namespace sparsepush
