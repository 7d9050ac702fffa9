// CIFAR-10 and CIFAR-100 from their binary files, records of labels and 3 planes of 32x32 bytes, or from those for
// Python, which have the same, pickled.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/sets/data_sources.h"
#include "data/sets/dataset.h"
#include "data/sets/image_files.h"

namespace sparsepush {

/// The files of a set, as their page describes them ([CIFAR]).
struct CifarFormat {
  std::string name;
  std::string subfolder;         ///< folder in the archive
  std::string python_subfolder;  ///< folder in the archive for Python, which has the same images
  std::vector<std::string> train_files;
  std::string test_file;
  int train_images = 0, test_images = 0;  ///< in each file
  std::vector<int> label_classes;         ///< classes of the labels before each image; the last label counts
  std::vector<std::string> label_keys;    ///< keys of these labels in the files for Python
  std::array<ChannelStatistics, 3> channels;

  int samples() const { return static_cast<int>(train_files.size()) * train_images + test_images; }
};

CifarFormat cifar10_format();
CifarFormat cifar100_format();

constexpr ImageShape kCifarImage = {.height = 32, .width = 32, .channels = 3};

/// Reads the set in the folder `path`, in the order of its files: the binary ones, or else those for Python. Throws
/// InputError for a missing file, a wrong size or a wrong label. Sizes are compared before anything is read.
Dataset load_cifar(const CifarFormat& format, const std::string& path);

DataSource cifar_source(const CifarFormat& format);

}  // namespace sparsepush
