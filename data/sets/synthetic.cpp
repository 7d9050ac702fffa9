#include "data/sets/synthetic.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/backend/check.h"
#include "kernels/backend/random.h"

namespace sparsepush {
namespace {

constexpr std::uint64_t kSeed = 0;
constexpr double kClampDeviations = 4;

enum Part : std::uint64_t { kMeans, kNoise, kOrder };  // Draw::step of the three uses of the stream

/// Standard deviation of the means' features for which two means are `separation` apart on average: the difference of
/// two means is sqrt(2) times a chi variable with `features` degrees of freedom, whose mean is
/// sqrt(2) Gamma((features + 1) / 2) / Gamma(features / 2).
double mean_deviation(double separation, int features) {
  return separation / (2 * std::exp(std::lgamma((features + 1) / 2.0) - std::lgamma(features / 2.0)));
}

}  // namespace

Dataset make_synthetic(const SyntheticSettings& settings) {
  const auto& [samples, features, classes, separation] = settings;
  CHECK(samples >= 6 && features >= 1, "samples ", samples, ", features ", features);
  CHECK(classes >= 2 && classes <= 256 && separation >= 0, "classes ", classes, ", separation ", separation);
  const double deviation = mean_deviation(separation, features);
  const double limit = kClampDeviations * std::sqrt(1 + deviation * deviation);
  const ByteScale scale{.scale = static_cast<float>(2 * limit / 255), .offset = static_cast<float>(-limit)};
  Dataset set{
      .name = "synthetic", .features = features, .image = {.width = features}, .classes = classes, .channel = {scale}};
  const auto normal = [](Part part, int row, int feature) {
    return random_normal({.seed = kSeed,
                          .stream = Stream::kSynthetic,
                          .node = static_cast<std::uint64_t>(row),
                          .step = part,
                          .index = static_cast<std::uint64_t>(feature)});
  };
  const std::size_t tests = static_cast<std::size_t>(samples) / 6;
  set.test.bytes.reserve(tests * features);  // growing would take several times the memory
  set.train.bytes.reserve((samples - tests) * features);
  for (int i = 0; i < samples; ++i) {
    SampleSet& part = is_test_sample(i) ? set.test : set.train;
    const Draw order{.seed = kSeed, .stream = Stream::kSynthetic, .step = kOrder};
    const int label = static_cast<int>(random_permutation(order, i, samples) % classes);
    ++part.count;
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
  return {.name = "synthetic",
          .keys = {"data.samples", "data.features", "data.classes", "data.separation"},
          .size = [](const DataConfig& data) -> DataSource::Size {
            return {data.samples, data.features};
          },
          .load =
              [](const DataConfig& data) {
                return make_synthetic({.samples = data.samples,
                                       .features = data.features,
                                       .classes = data.classes,
                                       .separation = data.separation});
              }};
}

}  // namespace sparsepush
