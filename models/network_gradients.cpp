#include "models/network_gradients.h"

#include <algorithm>
#include <array>

#include "kernels/backend/check.h"
#include "kernels/backend/prefetch.h"
#include "kernels/layers/softmax_xent.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

constexpr int kTestSamples = 64;  // at once: enough for efficient products, few enough to stay in the cache
constexpr std::int64_t kTestBytes = 16 << 20;  // of activations at once, unless the batch has more

/// Nodes without samples get one, so that every node has a batch; nothing of it is left.
Partition with_stand_ins(Partition owned) {
  for (auto& samples : owned)
    if (samples.empty()) samples.push_back(0);
  return owned;
}

std::vector<std::int64_t> begins(const Partition& owned) {
  std::vector<std::int64_t> begin = {0};
  for (const auto& samples : owned) begin.push_back(begin.back() + static_cast<std::int64_t>(samples.size()));
  return begin;
}

std::vector<std::int32_t> joined(const Partition& owned) {
  std::vector<std::int32_t> all;
  for (const auto& samples : owned) all.insert(all.end(), samples.begin(), samples.end());
  return all;
}

void check_set(const SampleSet& set, const Dataset& data) {
  CHECK(set.count >= 1 && set.label.size() == static_cast<std::size_t>(set.count), "samples ", set.count, ", labels ",
        set.label.size());
  CHECK(set.bytes.size() + set.values.size() == static_cast<std::size_t>(set.count) * data.features, "samples ",
        set.count, ", bytes ", set.bytes.size(), ", values ", set.values.size());
  const int greatest = *std::ranges::max_element(set.label);
  CHECK(greatest < data.classes, "label ", greatest, " of ", data.classes, " classes");
}

const LocalTask& checked(const LocalTask& task) {
  const std::size_t nodes = task.owned.size();
  CHECK(nodes >= 1 && task.seed.size() == nodes && task.identity.size() == nodes, "nodes ", nodes, ", seeds ",
        task.seed.size(), ", identities ", task.identity.size());
  CHECK(task.batch >= 1, "batch ", task.batch);
  CHECK(task.network.features() == task.data.features && task.network.classes == task.data.classes, "network ",
        task.network.features(), " to ", task.network.classes, ", data ", task.data.features, " to ",
        task.data.classes);
  check_set(task.data.train, task.data);
  check_set(task.data.test, task.data);
  for (std::size_t node = 0; node < nodes; ++node) {
    for (const std::int32_t sample : task.owned[node])
      CHECK(sample >= 0 && sample < task.data.train.count, "sample ", sample, " of ", task.data.train.count);
  }
  return task;
}

int test_samples(const Network& network) {
  std::int64_t elements = 0;
  for (const int size : network.tensor_sizes) elements += size;
  return static_cast<int>(std::clamp<std::int64_t>(kTestBytes / (elements * 4), 1, kTestSamples));
}

int samples_at_once(const Network& network, int batch) { return std::max(batch, test_samples(network)); }

/// Returns the bytes of `nodes` nodes at once.
template <class Backend>
std::int64_t pass_bytes(const Network& network, int batch, int nodes) {
  return NetworkPass<Backend>::bytes(network, nodes, nodes * samples_at_once(network, batch));
}
/// Returns what a node more takes.
template <class Backend>
std::int64_t bytes_per_node(const Network& network, int batch) {
  return pass_bytes<Backend>(network, batch, 2) - pass_bytes<Backend>(network, batch, 1);
}

std::vector<float> initial_statistics(const Network& network, std::size_t nodes) {
  std::vector<float> statistics(nodes * network.statistics);
  for (std::size_t node = 0; node < nodes; ++node)
    initialize_statistics(network, statistics.data() + node * network.statistics);
  return statistics;
}

/// Calls body(i, count) for maximal ranges [i, i + count) of indices whose nodes follow one another.
template <class Body>
void for_each_run(std::span<const int> nodes, const Body& body) {
  for (std::size_t i = 0, end; i < nodes.size(); i = end) {
    end = i + 1;
    while (end < nodes.size() && nodes[end] == nodes[end - 1] + 1) ++end;
    body(static_cast<int>(i), static_cast<int>(end - i));
  }
}

}  // namespace

template <class Backend>
NetworkGradients<Backend>::SampleBuffers::SampleBuffers(const Backend& backend, const Dataset& data,
                                                        const SampleSet& set)
    : bytes(backend, set.bytes.empty() ? 0 : set.count, data.features, set.bytes),
      label(backend, set.label),
      values(backend, set.values.empty() ? 0 : set.count, data.features, set.values),
      image(data.image),
      channel(backend, data.channel) {}

template <class Backend>
NetworkGradients<Backend>::NetworkGradients(const Backend& backend, LocalTask task)
    : network_(checked(task).network),
      batch_(task.batch),
      augment_(task.augment),
      train_(backend, task.data, task.data.train),
      test_(backend, task.data, task.data.test),
      begin_(backend, begins(with_stand_ins(task.owned))),
      sample_(backend, joined(with_stand_ins(task.owned))),
      identity_(backend, task.identity),
      seed_(backend, task.seed),
      loss_(backend, 1, static_cast<int>(task.seed.size())),
      correct_(backend, 1, static_cast<int>(task.seed.size())),
      mean_(backend, 1, static_cast<int>(network_.layout.row)),
      ones_(backend, std::vector<double>(task.seed.size(), 1.0)),
      statistics_(backend, static_cast<int>(task.seed.size()), static_cast<int>(network_.statistics),
                  initial_statistics(network_, task.seed.size())),
      mean_statistics_(backend, 1, static_cast<int>(network_.statistics)),
      waves_(backend, bytes_per_node<Backend>(network_, batch_)) {
  use_single_threaded_products(backend);
  for (const auto& samples : task.owned) learns_.push_back(!samples.empty());
  const int nodes = waves_.nodes_at_once(static_cast<int>(task.seed.size()), bytes_per_node<Backend>(network_, batch_));
  for (int worker = 0; worker < waves_.workers(); ++worker)
    passes_.emplace_back(backend, network_, nodes, nodes * samples_at_once(network_, batch_)).prepare(backend, batch_);
}

template <class Backend>
NodeParameters NetworkGradients<Backend>::with_u(const NodeParameters& at) const {
  if (!at.u.empty()) return at;
  CHECK(at.x.rows <= ones_.view().cols, "x ", at.x, ", nodes ", ones_.view().cols);
  return {.x = at.x, .u = ones_.span().first(at.x.rows)};
}

template <class Backend>
void NetworkGradients<Backend>::compute(const Backend& backend, const GradientIn& in, const GradientOut& out,
                                        std::int64_t /*host_step*/) {
  const int nodes = loss_.view().cols;
  const NodeParameters at = with_u(in.at);
  const MatrixView<float> gradient = out.gradient;
  const std::span<double> loss = out.loss;
  CHECK(at.x.rows == nodes && gradient.rows == nodes && loss.size() == at.u.size(), "x ", at.x, ", gradient ", gradient,
        ", losses ", loss.size(), ", nodes ", nodes);
  waves_.run(backend, nodes, [&](const Backend& inside, int first, int count, int worker) {
    NetworkPass<Backend>& pass = passes_[worker];
    const int samples = count * batch_;
    const PassNodes wave{.at = {.x = at.x.rows_from(first, count), .u = at.u.subspan(first, count)},
                         .statistics = statistics_.view().rows_from(first, count)};
    prefetch(inside, wave.at.x);
    prefetch(inside, gradient.rows_from(first, count));
    load_batches(inside, pass, first, count, in.step);
    pass.forward(inside, wave, samples, true);
    softmax_xent(inside, {.logits = pass.logits(samples),
                          .label = pass.label(samples),
                          .gradient = pass.logits_gradient(samples),
                          .loss = loss.subspan(first, count)});
    pass.backward(inside, wave, samples, gradient.rows_from(first, count));
    for (int node = first; node < first + count; ++node) {
      if (learns_[node]) continue;
      clear(inside, gradient.row(node), static_cast<std::size_t>(gradient.cols) * sizeof(float));
      clear(inside, &loss[node], sizeof(double));
    }
  });
}

template <class Backend>
void NetworkGradients<Backend>::load_batches(const Backend& backend, NetworkPass<Backend>& pass, int first, int count,
                                             const std::int64_t* step) {
  gather_batch(backend, {.set = train_.view(),
                         .owned = {.begin = begin_.span(), .sample = sample_.span()},
                         .first_node = first,
                         .batch = batch_,
                         .augment = augment_,
                         .step = step,
                         .seed = seed_.span(),
                         .identity = identity_.span(),
                         .input = pass.input(count * batch_),
                         .label = pass.label(count * batch_)});
}

template <class Backend>
void NetworkGradients<Backend>::reestimate_statistics(const Backend& backend, const NodeParameters& z) {
  const NodeParameters at = with_u(z);
  const MatrixView<float> statistics = statistics_.view();
  CHECK(at.x.rows == statistics.rows, "x ", at.x, ", nodes ", statistics.rows);
  if (statistics.cols == 0) return;
  waves_.run(backend, statistics.rows, [&](const Backend& inside, int first, int count, int worker) {
    for (int node = first; node < first + count; ++node)  // they have different numbers of batches
      reestimate_node(inside, passes_[worker],
                      {.at = {.x = at.x.rows_from(node, 1), .u = at.u.subspan(node, 1)},
                       .statistics = statistics.rows_from(node, 1)},
                      node);
  });
}

template <class Backend>
void NetworkGradients<Backend>::reestimate_node(const Backend& backend, NetworkPass<Backend>& pass,
                                                const PassNodes& node, int number) {
  std::array<std::int64_t, 2> owned;  // where the node's samples begin and end
  copy(backend, owned.data(), begin_.span().data() + number, sizeof(owned));
  const std::int64_t batches = std::max<std::int64_t>(1, (owned[1] - owned[0]) / batch_);
  std::vector<double> sum(node.statistics.cols);
  Buffer<Backend, std::int64_t> step(backend, 1, 1);
  for (std::int64_t b = 0; b < batches; ++b) {
    step.assign({&b, 1});
    load_batches(backend, pass, number, 1, step.span().data());
    clear(backend, node.statistics.data, node.statistics.size() * sizeof(float));
    pass.forward(backend, node, batch_, true);  // from 0: leaves kMomentum * those of the batch
    add_rows(backend, node.statistics, 0, sum);
  }
  std::vector<float> mean(sum.size());
  std::ranges::transform(sum, mean.begin(), [&](double s) {
    return static_cast<float>(s / (static_cast<double>(NormalizeLayer::kMomentum) * static_cast<double>(batches)));
  });
  copy(backend, node.statistics.data, mean.data(), mean.size() * sizeof(float));
}

template <class Backend>
void NetworkGradients<Backend>::add_scores(const Backend& backend, NetworkPass<Backend>& pass, const PassNodes& nodes,
                                           int sums) {
  const int tests = static_cast<int>(test_.label.span().size()), models = nodes.at.x.rows,
            at_once = test_samples(network_);
  for (int first = 0; first < tests; first += at_once) {
    const int count = std::min(at_once, tests - first), samples = models * count;
    if (!watch_(static_cast<double>(samples) / tests)) return;
    load_samples(backend, test_.view(), {first, count}, pass.input(samples), pass.label(samples));
    pass.forward(backend, nodes, samples, false);
    score_logits(backend, {.logits = pass.logits(samples),
                           .label = pass.label(samples),
                           .loss = loss_.span().subspan(sums, models),
                           .correct = correct_.span().subspan(sums, models)});
  }
}

template <class Backend>
void NetworkGradients<Backend>::score_nodes(const Backend& backend, const NodeParameters& at,
                                            std::span<const int> nodes, MatrixView<double> score) {
  score_models(backend, {.at = with_u(at), .statistics = statistics_.view()}, nodes, score);
}

template <class Backend>
void NetworkGradients<Backend>::score_models(const Backend& backend, const PassNodes& models,
                                             std::span<const int> chosen, MatrixView<double> score) {
  CHECK(score.rows == std::ssize(chosen) && score.cols == 2 && chosen.size() <= loss_.span().size(), "scores ", score,
        ", nodes ", chosen.size());
  for (const int node : chosen) CHECK(node >= 0 && node < models.at.x.rows, "node ", node, ", x ", models.at.x);
  loss_.assign(std::vector<double>(loss_.span().size()));
  correct_.assign(std::vector<std::int64_t>(correct_.span().size()));
  waves_.run(backend, static_cast<int>(chosen.size()), [&](const Backend& inside, int first, int count, int worker) {
    for_each_run(chosen.subspan(first, count), [&](int i, int run) {
      const int node = chosen[first + i];
      const PassNodes some{.at = {.x = models.at.x.rows_from(node, run), .u = models.at.u.subspan(node, run)},
                           .statistics = models.statistics.rows_from(node, run)};
      add_scores(inside, passes_[worker], some, first + i);
    });
  });
  const std::vector<double> loss = loss_.to_host();
  const std::vector<std::int64_t> correct = correct_.to_host();
  const auto tests = static_cast<double>(test_.label.span().size());
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    score.row(i)[0] = loss[i] / tests;
    score.row(i)[1] = static_cast<double>(correct[i]) / tests;
  }
}

template <class Backend>
void NetworkGradients<Backend>::score_mean(const Backend& backend, const MeanModel& mean, int first_node,
                                           MatrixView<double> score) {
  CHECK(mean.z.size() == mean_.span().size() && mean.statistics.size() == mean_statistics_.span().size(), "mean of ",
        mean.z.size(), " and ", mean.statistics.size(), ", row ", mean_.span().size(), ", statistics ",
        mean_statistics_.span().size());
  CHECK(first_node >= 0 && first_node + score.rows <= loss_.view().cols, "nodes ", first_node, " + ", score.rows);
  if (score.rows == 0) return;
  mean_.assign(std::vector<float>(mean.z.begin(), mean.z.end()));
  mean_statistics_.assign(std::vector<float>(mean.statistics.begin(), mean.statistics.end()));
  score_models(backend, {.at = with_u({.x = mean_.view(), .u = {}}), .statistics = mean_statistics_.view()},
               std::vector<int>{0}, score.rows_from(0, 1));
  for (int i = 1; i < score.rows; ++i) std::copy_n(score.row(0), score.cols, score.row(i));
}

template <class Backend>
std::int64_t NetworkGradients<Backend>::wave_bytes(const Network& network, int batch, int nodes) {
  const int at_once = Waves<Backend>::nodes_at_once(nodes, bytes_per_node<Backend>(network, batch));
  return pass_bytes<Backend>(network, batch, at_once);
}

template class NetworkGradients<Cpu>;
template class NetworkGradients<Cuda>;

}  // namespace sparsepush
