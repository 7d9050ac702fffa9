// Softmax and cross-entropy: the loss of classification, its gradient, and the score of a test.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Arguments of `softmax_xent`, all in backend memory. Samples of one node are consecutive, equally many per node.
struct SoftmaxXent {
  MatrixView<const float> logits;       ///< [nodes * samples, classes], at most 256 classes
  std::span<const std::int32_t> label;  ///< [nodes * samples] in [0, classes)
  MatrixView<float> gradient;           ///< [nodes * samples, classes] written
  std::span<double> loss;               ///< [nodes] added to
};

/// Computes loss and gradient: loss += mean over the node's samples, in order, of log(sum_c exp(logit_c - m)) + m -
/// logit_label in double, m the largest logit; gradient = (softmax - one-hot) / samples, rounded once to fp32. A row
/// with NaN or +infinity makes its node's loss and its own gradient NaN. Backends agree to 2^-40 relative in the loss,
/// exactly in the gradient (NaN payloads aside).
void softmax_xent(const Cpu& cpu, const SoftmaxXent& loss);
void softmax_xent(const Cuda& gpu, const SoftmaxXent& loss);

/// Checks the shapes above.
void check_softmax_xent_shapes(const SoftmaxXent& loss);

/// Arguments of `score_logits`, all in backend memory.
struct ScoreLogits {
  MatrixView<const float> logits;       ///< [nodes * samples, classes], at most 256 classes
  std::span<const std::int32_t> label;  ///< [nodes * samples] in [0, classes)
  std::span<double> loss;               ///< [nodes] += sum of the cross-entropies, in order
  std::span<std::int64_t> correct;      ///< [nodes] += samples whose label has the largest logit
};

/// Computes the same cross-entropy, without its gradient, and counts correct predictions. Of equal largest logits the
/// lowest class is the prediction; a row with NaN is never correct. Backends agree to 2^-40 relative in the loss and
/// exactly in the count.
void score_logits(const Cpu& cpu, const ScoreLogits& score);
void score_logits(const Cuda& gpu, const ScoreLogits& score);

/// Checks the shapes above.
void check_score_logits_shapes(const ScoreLogits& score);

}  // namespace sparsepush
