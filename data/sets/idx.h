// MNIST and sets like it from IDX files: a big-endian header, then the bytes.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "data/sets/data_sources.h"
#include "data/sets/dataset.h"
#include "data/sets/image_files.h"

namespace sparsepush {

/// A label file of a set. The images of several sets have the same names, sizes and headers: their labels differ.
struct KnownLabels {
  std::string_view set, digest;  ///< SHA-256
};

/// Lists the label files of the sets as they are published: unpacked, but for those of KMNIST.
std::vector<KnownLabels> published_labels();

/// What the four files of a set hold: train-images-idx3-ubyte, train-labels-idx1-ubyte and the two that begin with
/// t10k, as [MNIST] describes them.
struct IdxFormat {
  std::string name;
  int train_images = 60'000, test_images = 10'000;
  ImageShape image = {.height = 28, .width = 28};
  int classes = 10;
  ChannelStatistics channel;
  std::vector<std::string> subfolders = {};  ///< where others keep the files
  std::vector<KnownLabels> known = published_labels();

  int samples() const { return train_images + test_images; }
};

IdxFormat mnist_format();
IdxFormat fashion_mnist_format();

/// Reads the set in the folder `path`, or in a subfolder of it. Throws InputError for a missing file, a wrong size,
/// header or label, and for the labels of another known set: all have the same names and sizes. Labels of no known set
/// are a warning. Sizes are compared before anything is read.
Dataset load_idx(const IdxFormat& format, const std::string& path);

DataSource idx_source(const IdxFormat& format);

}  // namespace sparsepush
