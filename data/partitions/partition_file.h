// Partitions from CSV files.
#pragma once
#include <string>

#include "data/partitions/partition.h"

namespace sparsepush {

/// Reads rows `sample,node` below a header of these words: training samples, each at most once, in the order in which
/// their node has them. Samples that are not named belong to nobody. Throws InputError with file and line.
Partition read_partition_file(const std::string& path, int samples, int nodes);

}  // namespace sparsepush
