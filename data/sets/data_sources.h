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
  std::vector<std::string_view> keys = {};  ///< that count for it and not for all of its kind, such as "data.path"
  std::string_view file = {};               ///< what data.file has to be, where it is needed
  std::string_view task = "network";        ///< the kind of task that learns it

  /// Known before anything is loaded.
  struct Size {
    std::int64_t samples = 0, features = 0;
  };
  std::function<Size(const DataConfig&)> size = {};     ///< of labelled sets
  std::function<Dataset(const DataConfig&)> load = {};  ///< of labelled sets; throws InputError
};

const std::vector<DataSource>& data_sources();

}  // namespace sparsepush
