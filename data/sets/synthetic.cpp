#include "data/sets/synthetic.h"

#include <algorithm>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/random.h"

namespace sparsepush {
namespace {

constexpr std::uint64_t kSeed = 0;
constexpr double kClampDeviations = 4;

enum Part : std::uint64_t { kMeans, kNoise, kOrder };  // Draw::step of the three uses of the stream

/// Computes ln Gamma(x) for x > 0. std::lgamma writes a sign to a global variable as well, where several threads would
/// meet.
double log_gamma(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);
}

/// Computes the standard deviation of the means' features for which two means are `separation` apart on average: the
/// difference of two means is sqrt(2) times a chi variable with `features` degrees of freedom, whose mean is
/// sqrt(2) Gamma((features + 1) / 2) / Gamma(features / 2).
double mean_deviation(double separation, int features) {
  return separation / (2 * std::exp(log_gamma((features + 1) / 2.0) - log_gamma(features / 2.0)));
}

/// Computes the limit that values lie within: [-limit, limit].
double limit_of(const SyntheticSettings& settings) {
  const double deviation = mean_deviation(settings.separation, settings.features);
  return kClampDeviations * std::sqrt(1 + deviation * deviation);
}

int label_of(const SyntheticSettings& settings, int sample) {
  const Draw order{.seed = kSeed, .purpose = Purpose::kSynthetic, .step = kOrder};
  return static_cast<int>(random_permutation(order, sample, settings.samples) % settings.classes);
}

}  // namespace

Dataset synthetic_outline(const SyntheticSettings& settings) {
  const auto& [samples, features, classes, separation] = settings;
  CHECK(samples >= 6 && features >= 1, "samples ", samples, ", features ", features);
  CHECK(classes >= 2 && classes <= 256 && separation >= 0, "classes ", classes, ", separation ", separation);
  const double limit = limit_of(settings);
  const ByteScale scale{.scale = static_cast<float>(2 * limit / 255), .offset = static_cast<float>(-limit)};
  Dataset set{
      .name = "synthetic", .features = features, .image = {.width = features}, .classes = classes, .channel = {scale}};
  set.test.count = samples / 6;
  set.train.count = samples - set.test.count;
  return set;
}

std::vector<std::uint8_t> synthetic_train_labels(const SyntheticSettings& settings) {
  std::vector<std::uint8_t> labels;
  for (int i = 0; i < settings.samples; ++i)
    if (!is_test_sample(i)) labels.push_back(static_cast<std::uint8_t>(label_of(settings, i)));
  return labels;
}

Dataset make_synthetic(const SyntheticSettings& settings) {
  const int features = settings.features;
  const double deviation = mean_deviation(settings.separation, features), limit = limit_of(settings);
  Dataset set = synthetic_outline(settings);
  const auto normal = [](Part part, int row, int feature) {
    return random_normal({.seed = kSeed,
                          .purpose = Purpose::kSynthetic,
                          .node = static_cast<std::uint64_t>(row),
                          .step = part,
                          .index = static_cast<std::uint64_t>(feature)});
  };
  for (SampleSet* part : {&set.train, &set.test})  // growing would take several times the memory
    part->bytes.reserve(static_cast<std::size_t>(part->count) * features);
  for (int i = 0; i < settings.samples; ++i) {
    SampleSet& part = is_test_sample(i) ? set.test : set.train;
    const int label = label_of(settings, i);
    part.label.push_back(static_cast<std::uint8_t>(label));
    for (int f = 0; f < features; ++f) {
      const double value = deviation * normal(kMeans, label, f) + normal(kNoise, i, f);
      part.bytes.push_back(
          static_cast<std::uint8_t>(std::clamp(std::rint((value + limit) * (255 / (2 * limit))), 0.0, 255.0)));
    }
  }
  return set;
}

DataSource synthetic_source() {
  const auto settings = [](const DataConfig& data) -> SyntheticSettings {
    return {.samples = data.samples, .features = data.features, .classes = data.classes, .separation = data.separation};
  };
  return {.name = "synthetic",
          .keys = {"data.samples", "data.features", "data.classes", "data.separation"},
          .outline = [settings](const DataConfig& data) { return synthetic_outline(settings(data)); },
          .load = [settings](const DataConfig& data) { return make_synthetic(settings(data)); },
          .train_labels = [settings](const DataConfig& data) { return synthetic_train_labels(settings(data)); }};
}

}  // namespace sparsepush
