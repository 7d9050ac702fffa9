#include "kernels/layers/softmax_xent.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/exponential.h"
#include "kernels/backend/multiversion.h"
#include "kernels/layers/softmax_terms.h"

namespace sparsepush {
namespace {

/// Some consecutive samples.
struct Tile {
  std::array<double, kLogitsAtOnce> exponential;  ///< [samples, classes] exp(logit - largest logit of the sample)
  std::array<double, kLogitsAtOnce> sum;          ///< [samples] of those
  std::array<double, kLogitsAtOnce> loss;         ///< [samples]
};

void exponentiate(double* values, int count) {
  for (int i = 0; i < count; ++i) values[i] = exp_nonpositive(values[i]);
}

/// Fills `tile` for the samples [first, first + count).
void evaluate(MatrixView<const float> logits, std::span<const std::int32_t> label, std::int64_t first, int count,
              Tile& tile, VectorLevel level) {
  const int classes = logits.cols;
  for (int s = 0; s < count; ++s) {
    const float* row = logits.row(first + s);
    const double largest = *std::max_element(row, row + classes);
    for (int c = 0; c < classes; ++c) tile.exponential[s * classes + c] = static_cast<double>(row[c]) - largest;
    tile.loss[s] = -tile.exponential[s * classes + label[first + s]];
  }
  run_vectorized(level, [&] { exponentiate(tile.exponential.data(), count * classes); });
  for (int s = 0; s < count; ++s) {
    tile.sum[s] = 0;
    for (int c = 0; c < classes; ++c) tile.sum[s] += tile.exponential[s * classes + c];
    tile.loss[s] += std::log(tile.sum[s]);
  }
}

/// gradient = (softmax - one-hot) / samples of the node, for one sample.
void write_gradient(const double* exponential, double sum, int label, int samples, std::span<float> gradient) {
  const double scale = 1.0 / (sum * samples);
  for (std::size_t c = 0; c < gradient.size(); ++c)
    gradient[c] = softmax_gradient(exponential[c], scale, false, samples);
  gradient[label] = softmax_gradient(exponential[label], scale, true, samples);
}

void loss_of_node(const SoftmaxXent& x, std::int64_t node, int samples, VectorLevel level) {
  Tile tile;
  const int classes = x.logits.cols, step = samples_at_once(classes);
  double sum = 0;
  for (int begin = 0; begin < samples; begin += step) {
    const std::int64_t first = node * samples + begin;
    const int count = std::min(step, samples - begin);
    evaluate(x.logits, x.label, first, count, tile, level);
    for (int s = 0; s < count; ++s) {
      sum += tile.loss[s];
      write_gradient(&tile.exponential[s * classes], tile.sum[s], x.label[first + s], samples,
                     {x.gradient.row(first + s), static_cast<std::size_t>(classes)});
    }
  }
  x.loss[node] += sum / samples;
}

void score_node(const ScoreLogits& x, std::int64_t node, int samples, VectorLevel level) {
  Tile tile;
  const int classes = x.logits.cols, step = samples_at_once(classes);
  for (int begin = 0; begin < samples; begin += step) {
    const std::int64_t first = node * samples + begin;
    const int count = std::min(step, samples - begin);
    evaluate(x.logits, x.label, first, count, tile, level);
    for (int s = 0; s < count; ++s) {
      x.loss[node] += tile.loss[s];
      x.correct[node] += is_correct(x.logits.row(first + s), classes, x.label[first + s]);
    }
  }
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
  cpu.pool().run(nodes, [&](std::int64_t node, int) {
    loss_of_node(loss, node, loss.logits.rows / static_cast<int>(loss.loss.size()), cpu.vector_level());
  });
}

void check_score_logits_shapes(const ScoreLogits& score) {
  check_logits_shapes(score.logits, score.label.size(), score.loss.size());
  CHECK(score.correct.size() == score.loss.size(), "counts ", score.correct.size(), ", losses ", score.loss.size());
}

void score_logits(const Cpu& cpu, const ScoreLogits& score) {
  check_score_logits_shapes(score);
  const auto nodes = static_cast<std::int64_t>(score.loss.size());
  cpu.pool().run(nodes, [&](std::int64_t node, int) {
    score_node(score, node, score.logits.rows / static_cast<int>(score.loss.size()), cpu.vector_level());
  });
}

}  // namespace sparsepush
