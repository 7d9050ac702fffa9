#include "host/state/measure.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/spread.h"
#include "host/state/running_statistics.h"
#include "host/state/sent_totals.h"
#include "host/state/verbs.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

double sum_of(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

/// Scores of some models: losses in column 0, then their other scores.
struct ScoreTable {
  ScoreTable(int models, int columns) : columns(columns), values(static_cast<std::size_t>(models) * columns) {}

  MatrixView<double> view() { return {values.data(), static_cast<int>(values.size()) / columns, columns}; }
  std::vector<double> column(int c) const {
    std::vector<double> of_models;
    for (std::size_t i = c; i < values.size(); i += columns) of_models.push_back(values[i]);
    return of_models;
  }

  int columns;
  std::vector<double> values;  ///< [models, columns]
};

/// Computes the squared norms of an array's rows, [rows of all shards].
template <class Backend>
std::vector<double> norms_of(const Backend& backend, Nodes<Backend>& nodes, const Array<float>& array) {
  std::vector<double> local(nodes.shard.rows()), all(nodes.shard.all_rows());
  squared_norms(backend, nodes[array], local);
  nodes.transport.gather(local, all);
  return all;
}

/// What the measures of one step share.
template <class Backend>
class Measures {
 public:
  Measures(const Backend& backend, const Experiment& experiment, Gradients<Backend>& gradients, Nodes<Backend>& nodes)
      : backend_(backend),
        task_(experiment.task()),
        gradients_(gradients),
        nodes_(nodes),
        shard_(nodes.shard),
        names_(task_.scores()) {
    if (!nodes.recipe.method.block_weights) return;
    block_begin_ = nodes.block_begin.to_host();
    debias_blocks(nodes);
  }

  void add_push_weights(std::vector<MetricsRow>& rows) {
    const std::vector<double> weights = nodes_.to_host(by_blocks() ? *nodes_.recipe.method.block_weights : state::u);
    const std::size_t blocks = block_begin_.size() - 1;
    for (std::size_t b = 0; b < blocks; ++b) {
      std::vector<double> of_rows(shard_.rows());
      for (std::size_t row = 0; row < of_rows.size(); ++row) of_rows[row] = weights[row * blocks + b];
      u_.push_back(gather(of_rows));
    }
    for (MetricsRow& row : rows) {
      row.u_min = std::numeric_limits<double>::infinity();
      for (const std::vector<double>& of_block : u_) {
        const auto u = of_replica(of_block, row.replica);
        row.u_sum += sum_of(u) / static_cast<double>(blocks);
        row.u_min = std::min(row.u_min, std::ranges::min(u));
        row.u_max = std::max(row.u_max, std::ranges::max(u));
      }
    }
  }

  /// Adds disagreement and the mean model's scores of one replica.
  void add_mean_model(MetricsRow& row) {
    const int nodes = shard_.nodes(), first = row.replica * nodes;
    const auto x = nodes_[state::x].rows_from(first, nodes);
    std::vector<double> mean(nodes_.layout.row);
    nodes_.transport.sum_in_order(mean, [&](std::span<double> sums) { add_rows(backend_, x, sums); });
    for (std::size_t b = 0; b < u_.size(); ++b) {
      const double weight = sum_of(of_replica(u_[b], row.replica));
      for (std::int64_t c = block_begin_[b]; c < block_begin_[b + 1]; ++c) mean[c] /= weight;
    }

    std::vector<double> distance(nodes);
    const auto at = by_blocks() ? nodes_[state::z].rows_from(first, nodes) : x;  // over u, which is 1 then
    squared_distances(backend_, at, nodes_.list(state::u).subspan(first, nodes), mean, distance);
    const double norm = std::sqrt(std::inner_product(mean.begin(), mean.end(), mean.begin(), 0.0));
    const double disagreement = std::sqrt(sum_of(gather_replica(distance)));
    if (norm > 0) row.consensus = disagreement / (std::sqrt(static_cast<double>(shard_.all_nodes)) * norm);

    ScoreTable scores(nodes, columns());
    const std::vector<double> statistics = mean_statistics<Backend>(gradients_.statistics(), nodes_, row.replica);
    gradients_.score_mean(backend_, {.z = mean, .statistics = statistics}, first, scores.view());
    const auto mean_of = [&](int column) { return sum_of(gather_replica(scores.column(column))) / shard_.all_nodes; };
    row.loss_mean_model = mean_of(0);
    for (int s = 1; s < columns(); ++s) summary_of(row, s).mean_model = mean_of(s);
  }

  /// Adds ||E|| / ||X||.
  void add_error_ratio(std::vector<MetricsRow>& rows) {
    if (!nodes_.state.has(state::error)) return;
    const auto x = norms_of(backend_, nodes_, state::x), error = norms_of(backend_, nodes_, state::error);
    for (MetricsRow& row : rows) {
      const double size = std::sqrt(sum_of(of_replica(x, row.replica)));
      if (size > 0) row.error_ratio = std::sqrt(sum_of(of_replica(error, row.replica))) / size;
    }
  }

  /// Adds the scores of `evaluated` nodes of each replica (0: all). Nodes that are `equal` get those of the first one.
  void add_node_scores(std::vector<MetricsRow>& rows, int evaluated, bool equal) {
    const std::vector<int> reported = spread_over(shard_.all_nodes, evaluated);
    const auto tested = std::span(reported).first(equal ? 1 : reported.size());
    std::vector<int> local;
    for (const MetricsRow& row : rows)
      for (int i = row.replica * shard_.nodes(); i < (row.replica + 1) * shard_.nodes(); ++i)
        if (std::ranges::binary_search(tested, shard_.id_of(i).node)) local.push_back(i);
    ScoreTable scores(static_cast<int>(local.size()), columns());
    gradients_.score_nodes(backend_, parameters_of(nodes_, task_), local, scores.view());
    for (int s = 0; s < columns(); ++s) {
      std::vector<double> of_rows(shard_.rows());
      for (std::size_t k = 0; k < local.size(); ++k) of_rows[local[k]] = scores.view().row(static_cast<int>(k))[s];
      const auto all = gather(of_rows);
      for (MetricsRow& row : rows) {
        std::vector<double> of_nodes;
        for (const int node : reported) of_nodes.push_back(of_replica(all, row.replica)[equal ? tested[0] : node]);
        add_scores(row, s, reported, of_nodes);
      }
    }
  }

  void add_train_loss(std::vector<MetricsRow>& rows, const LossWindow<Backend>& loss) {
    if (loss.steps == 0) return;
    const auto sums = gather(loss.sum.to_host());
    for (MetricsRow& row : rows) {
      int learners = 0;
      for (int node = 0; node < shard_.all_nodes; ++node) learners += task_.learns(row.replica, node) ? 1 : 0;
      row.train_loss = sum_of(of_replica(sums, row.replica)) / static_cast<double>(loss.steps) / learners;
    }
  }

  void add_syncs(std::vector<MetricsRow>& rows) {
    if (!nodes_.state.has(state::syncs)) return;
    const std::vector<std::int64_t> syncs = nodes_.to_host(state::syncs);
    for (MetricsRow& row : rows) row.syncs = syncs[row.replica];
  }

  void add_traffic(std::vector<MetricsRow>& rows) {
    const SentTotals totals = gather_sent(nodes_);
    for (MetricsRow& row : rows) {
      row.messages = totals[kMessagesSent][row.replica];
      row.bytes_authors = totals[kAuthorsBytes][row.replica];
      row.bytes_coo32 = totals[kCoo32Bytes][row.replica];
      row.bytes_wire = totals[kWireBytes][row.replica];
      row.bytes_dense = totals[kDenseBytes][row.replica];
    }
  }

 private:
  std::vector<double> gather(const std::vector<double>& local) {
    std::vector<double> all(shard_.all_rows());
    nodes_.transport.gather(local, all);
    return all;
  }
  /// Gathers one value per local node of a single replica.
  std::vector<double> gather_replica(const std::vector<double>& local) {
    std::vector<double> rows(shard_.rows());
    std::ranges::copy(local, rows.begin());
    auto all = gather(rows);
    all.resize(shard_.all_nodes);
    return all;
  }
  std::span<const double> of_replica(const std::vector<double>& all, int replica) const {
    return std::span(all).subspan(static_cast<std::size_t>(replica) * shard_.all_nodes, shard_.all_nodes);
  }
  bool by_blocks() const { return nodes_.recipe.method.block_weights; }
  int columns() const { return 1 + static_cast<int>(names_.size()); }
  /// Adds the score in column `column` of the tested nodes.
  void add_scores(MetricsRow& row, int column, const std::vector<int>& tested, const std::vector<double>& of_nodes) {
    const double mean = sum_of(of_nodes) / static_cast<double>(tested.size());
    row.nodes.resize(tested.size());
    for (std::size_t k = 0; k < tested.size(); ++k) {
      row.nodes[k].node = tested[k];
      if (column == 0) row.nodes[k].loss = of_nodes[k];
      if (column > 0 && names_[column - 1] == kAccuracy) row.nodes[k].accuracy = of_nodes[k];
    }
    if (column == 0) {
      row.test_loss = mean;
      return;
    }
    ScoreSummary& summary = summary_of(row, column);
    summary.mean = mean;
    summary.min = std::ranges::min(of_nodes);
    summary.max = std::ranges::max(of_nodes);
  }
  /// Finds the score of column `column` in a row.
  ScoreSummary& summary_of(MetricsRow& row, int column) const {
    const auto begin = names_.begin(), name = begin + column - 1;
    if (*name == kAccuracy) return row.accuracy ? *row.accuracy : row.accuracy.emplace();
    const std::size_t others = std::count_if(begin, name, [](const std::string& n) { return n != kAccuracy; });
    if (row.other_scores.size() <= others) row.other_scores.resize(others + 1);
    return row.other_scores[others];
  }

  const Backend& backend_;
  const Task& task_;
  Gradients<Backend>& gradients_;
  Nodes<Backend>& nodes_;
  const Shard& shard_;
  const std::vector<std::string> names_;                            ///< names of the scores beside loss
  std::vector<std::int64_t> block_begin_ = {0, nodes_.layout.row};  ///< [blocks + 1] of a row
  std::vector<std::vector<double>> u_;                              ///< [blocks] of all rows
};

}  // namespace

template <class Backend>
std::vector<double> squared_parameter_norms(const Backend& backend, Nodes<Backend>& nodes) {
  return norms_of(backend, nodes, state::x);
}

template <class Backend>
std::vector<MetricsRow> measure_nodes(const Backend& backend, const Experiment& experiment,
                                      Gradients<Backend>& gradients, Nodes<Backend>& nodes,
                                      const LossWindow<Backend>& loss, const WhatToMeasure& what) {
  const Schedule& schedule = experiment.schedule();
  const std::int64_t step = what.step;
  std::vector<MetricsRow> rows;
  for (const int r : what.replicas) {
    rows.push_back({.replica = r, .step = step, .epoch = schedule.epoch(step)});
    if (step <= schedule.sgd_steps()) rows.back().lr = schedule.learning_rate(step, experiment.replicas()[r].optimizer);
  }
  Measures<Backend> measures(backend, experiment, gradients, nodes);
  measures.add_error_ratio(rows);
  measures.add_push_weights(rows);
  for (MetricsRow& row : rows) measures.add_mean_model(row);
  measures.add_node_scores(rows, experiment.config().evaluate.nodes, experiment.nodes_are_equal_at(step));
  if (step <= schedule.sgd_steps()) measures.add_train_loss(rows, loss);
  measures.add_traffic(rows);
  measures.add_syncs(rows);
  return rows;
}

template std::vector<double> squared_parameter_norms(const Cpu&, Nodes<Cpu>&);
template std::vector<double> squared_parameter_norms(const Cuda&, Nodes<Cuda>&);
template std::vector<MetricsRow> measure_nodes(const Cpu&, const Experiment&, Gradients<Cpu>&, Nodes<Cpu>&,
                                               const LossWindow<Cpu>&, const WhatToMeasure&);
template std::vector<MetricsRow> measure_nodes(const Cuda&, const Experiment&, Gradients<Cuda>&, Nodes<Cuda>&,
                                               const LossWindow<Cuda>&, const WhatToMeasure&);

}  // namespace sparsepush
