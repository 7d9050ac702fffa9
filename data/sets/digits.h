// The data set that is part of the program: 8x8 images of handwritten digits.
#pragma once
#include "data/sets/data_sources.h"
#include "data/sets/dataset.h"

namespace sparsepush {

/// Loads 1,797 images in 10 classes (see data/README.md), 64 pixels of 0 to 16 with scale 1/16: 1,498 for training, 299
/// for test.
Dataset load_digits();

DataSource digits_source();

}  // namespace sparsepush
