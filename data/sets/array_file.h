// A user's own labelled set, from the arrays of a safetensors file.
#pragma once
#include <string>

#include "data/sets/data_sources.h"
#include "data/sets/dataset.h"

namespace sparsepush {

/// Loads the set in `path`: `train_x` and `test_x`, U8 [n, channels, height, width], U8 [n, features] or F32 [n,
/// features]; `train_y` and `test_y`, I64 [n] labels from 0 to 255; and perhaps `train_node`, I64 [n], the node that
/// each sample belongs to. Bytes are normalized by mean and deviation of each channel over the training set; floats
/// stay as they are. Throws InputError that names file, tensor and sample.
Dataset load_array_file(const std::string& path);

/// Describes the set in `path` without bytes, labels, owners and what the bytes mean; reads no features. Throws
/// InputError that names file, tensor and sample.
Dataset array_file_outline(const std::string& path);

DataSource array_file_source();

}  // namespace sparsepush
