// A labelled set of any size that is drawn instead of read.
#pragma once
#include "data/sets/data_sources.h"
#include "data/sets/dataset.h"

namespace sparsepush {

struct SyntheticSettings {
  int samples = 10000;      ///< at least 6, so that there is one for the test
  int features = 16;        ///< at least 1
  int classes = 10;         ///< 2 to 256
  double separation = 3.0;  ///< expected distance of two class means, at least 0
};

/// Draws Gaussian classes of equal size: within a class every feature is independent with standard deviation 1, which
/// is the unit of `separation`; the class means are Gaussian too. With s the standard deviation of a feature over all
/// classes, values are rounded to 256 levels on [-4 s, 4 s] and clamped to it. The set depends on the settings only,
/// never on a run's seed, so that replicas share it.
Dataset make_synthetic(const SyntheticSettings& settings);

/// Describes the set without its bytes and labels.
Dataset synthetic_outline(const SyntheticSettings& settings);
/// Makes the labels for training alone, which takes almost no time.
std::vector<std::uint8_t> synthetic_train_labels(const SyntheticSettings& settings);

DataSource synthetic_source();

}  // namespace sparsepush
