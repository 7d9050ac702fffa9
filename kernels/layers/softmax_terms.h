// The arithmetic of softmax and cross-entropy that all backends share.
#pragma once
#include <cstdint>

namespace sparsepush {

constexpr int kMostClasses = 256;                // a label is a byte in data sets
constexpr int kLogitsAtOnce = 4 * kMostClasses;  // few enough for near memory, enough for whole vectors and blocks

/// Samples that fit.
constexpr int samples_at_once(int classes) { return kLogitsAtOnce / classes; }

/// Returns one entry of the gradient; scale: 1 / (sum of the sample's exponentials * samples), label: whether its class
/// is the sample's.
constexpr float softmax_gradient(double exponential, double scale, bool label, int samples) {
  return static_cast<float>(exponential * scale - (label ? 1.0 : 0.0) / samples);
}

/// Returns whether the label has the largest of `logits` [classes], the lowest class of equal ones counting.
constexpr bool is_correct(const float* logits, int classes, int label) {
  for (int c = 0; c < label; ++c)
    if (!(logits[c] < logits[label])) return false;
  for (int c = label; c < classes; ++c)
    if (!(logits[c] <= logits[label])) return false;
  return true;
}

}  // namespace sparsepush
