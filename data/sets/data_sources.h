// What data.name can be: the table of data sets and problems.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/data_config.h"
#include "data/sets/dataset.h"

namespace sparsepush {

/// A data set or a problem; its row stands in its own file.
struct DataSource {
  std::string name;
  std::vector<std::string_view> keys = {};  ///< keys that count for it and not for all of its kind, such as "data.path"
  std::string_view file = {};               ///< what data.file has to be, where it is needed
  std::string_view task = "network";        ///< the kind of task that learns it
  bool may_have_owners = false;             ///< samples may belong to nodes

  /// Describes a labelled set by all but its bytes and labels, which is known before anything is read or made.
  std::function<Dataset(const DataConfig&)> outline = {};
  /// Loads a labelled set. Throws InputError.
  std::function<Dataset(const DataConfig&)> load = {};
  /// Makes the labels for training where they are there long before the rest. Throws what `load` would throw at once.
  std::function<std::vector<std::uint8_t>(const DataConfig&)> train_labels = {};
};

/// Returns the set without the bytes, labels and floats of its samples.
Dataset outline_of(Dataset set);

/// Lists all data sets that a configuration can name.
const std::vector<DataSource>& data_sources();

}  // namespace sparsepush
