#include "kernels/softmax_xent.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/check.h"

namespace sparsepush {
namespace {

constexpr int kMostClasses = 256;  // a label is a byte in data sets

/// exp(logit - largest logit) of one sample, and what their sum makes of its loss.
struct Exponentials {
  std::array<double, kMostClasses> of;
  double sum = 0;
  double loss = 0;
};

void exponentials(std::span<const float> logits, int label, Exponentials& e) {
  const double largest = *std::ranges::max_element(logits);
  for (std::size_t c = 0; c < logits.size(); ++c) e.of[c] = std::exp(static_cast<double>(logits[c]) - largest);
  e.sum = 0;
  for (std::size_t c = 0; c < logits.size(); ++c) e.sum += e.of[c];
  e.loss = std::log(e.sum) + (largest - static_cast<double>(logits[label]));
}

std::span<const float> row_of(MatrixView<const float> m, std::int64_t row) {
  return {m.row(row), static_cast<std::size_t>(m.cols)};
}

void loss_of_node(const SoftmaxXent& x, std::int64_t node, int samples) {
  Exponentials e;
  double sum = 0;
  for (std::int64_t s = node * samples; s < (node + 1) * samples; ++s) {
    exponentials(row_of(x.logits, s), x.label[s], e);
    sum += e.loss;
    float* gradient = x.gradient.row(s);
    const double scale = 1.0 / (e.sum * samples);
    for (int c = 0; c < x.logits.cols; ++c)
      gradient[c] = static_cast<float>(e.of[c] * scale - (c == x.label[s] ? 1.0 / samples : 0.0));
  }
  x.loss[node] = sum / samples;
}

bool is_correct(std::span<const float> logits, int label) {
  for (int c = 0; c < label; ++c)
    if (!(logits[c] < logits[label])) return false;
  for (std::size_t c = label; c < logits.size(); ++c)
    if (!(logits[c] <= logits[label])) return false;
  return true;
}

void check_logits_shapes(MatrixView<const float> logits, std::size_t labels, std::size_t nodes) {
  CHECK(logits.cols >= 1 && logits.cols <= kMostClasses, "logits ", logits);
  CHECK(labels == static_cast<std::size_t>(logits.rows), "labels ", labels, ", logits ", logits);
  CHECK(nodes >= 1 && logits.rows >= 1 && logits.rows % nodes == 0, "nodes ", nodes, ", logits ", logits);
}

}  // namespace

void check_softmax_xent_shapes(const SoftmaxXent& x) {
  check_logits_shapes(x.logits, x.label.size(), x.loss.size());
  CHECK(x.gradient.rows == x.logits.rows && x.gradient.cols == x.logits.cols, "gradient ", x.gradient, ", logits ",
        x.logits);
}

void softmax_xent(const Cpu& cpu, const SoftmaxXent& loss) {
  check_softmax_xent_shapes(loss);
  const auto nodes = static_cast<std::int64_t>(loss.loss.size());
  cpu.pool().run(nodes, [&loss](std::int64_t node, int) {
    loss_of_node(loss, node, loss.logits.rows / static_cast<int>(loss.loss.size()));
  });
}

void check_score_logits_shapes(const ScoreLogits& score) {
  check_logits_shapes(score.logits, score.label.size(), score.loss.size());
  CHECK(score.correct.size() == score.loss.size(), "counts ", score.correct.size(), ", losses ", score.loss.size());
}

void score_logits(const Cpu& cpu, const ScoreLogits& score) {
  check_score_logits_shapes(score);
  const auto nodes = static_cast<std::int64_t>(score.loss.size());
  cpu.pool().run(nodes, [&score, samples = score.logits.rows / nodes](std::int64_t node, int) {
    Exponentials e;
    for (std::int64_t s = node * samples; s < (node + 1) * samples; ++s) {
      exponentials(row_of(score.logits, s), score.label[s], e);
      score.loss[node] += e.loss;
      score.correct[node] += is_correct(row_of(score.logits, s), score.label[s]);
    }
  });
}

}  // namespace sparsepush
