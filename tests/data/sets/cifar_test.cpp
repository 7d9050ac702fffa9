#include "data/sets/cifar.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/data/error_of.h"
#include "tests/data/sets/cifar_pickle.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

namespace fs = std::filesystem;

constexpr int kPixels = 3 * 32 * 32;

/// An image as a test writes it.
struct Image {
  std::vector<std::uint8_t> labels, pixels;
};

/// The real files are too large for a test: the same format with few images in each file.
class Cifar : public testing::Test {
 protected:
  explicit Cifar(const std::string& name) : format_(name == "cifar10" ? cifar10_format() : cifar100_format()) {
    format_.train_images = 3;
    format_.test_images = 2;
  }

  void write(const std::string& file, int images, const std::string& subfolder = "") {
    std::string bytes;
    for (int i = 0; i < images; ++i) {
      Image image;
      for (const int classes : format_.label_classes) image.labels.push_back(random_() % classes);
      for (int p = 0; p < kPixels; ++p) image.pixels.push_back(random_() % 256);
      bytes.append(image.labels.begin(), image.labels.end());
      bytes.append(image.pixels.begin(), image.pixels.end());
      written_.push_back(image);
    }
    write_file(folder_ / (subfolder + file), bytes);
  }
  void write_all(const std::string& subfolder = "") {
    for (const std::string& file : format_.train_files) write(file, format_.train_images, subfolder);
    write(format_.test_file, format_.test_images, subfolder);
  }
  /// The same images as `write_all` would, in the files for Python.
  void pickle_all(const std::string& subfolder = "") {
    const auto pickle = [&](const std::string& binary, int images) {
      std::vector<std::vector<std::uint8_t>> labels(format_.label_keys.size());
      std::string pixels;
      for (int i = 0; i < images; ++i) {
        Image image;
        for (std::size_t l = 0; l < labels.size(); ++l)
          labels[l].push_back(image.labels.emplace_back(random_() % format_.label_classes[l]));
        for (int p = 0; p < kPixels; ++p) image.pixels.push_back(random_() % 256);
        pixels.append(image.pixels.begin(), image.pixels.end());
        written_.push_back(image);
      }
      write_file(folder_ / (subfolder + binary.substr(0, binary.find('.'))),
                 pickled_images(format_.label_keys, labels, pixels));
    };
    for (const std::string& file : format_.train_files) pickle(file, format_.train_images);
    pickle(format_.test_file, format_.test_images);
  }
  Dataset load() const { return load_cifar(format_, folder_.path()); }
  std::string error() const {
    return error_of([&] { load(); }, folder_.path());
  }

  void expect_what_was_written(const Dataset& set) const {
    const int train = format_.train_images * static_cast<int>(format_.train_files.size());
    ASSERT_EQ(set.train.count, train);
    ASSERT_EQ(set.test.count, format_.test_images);
    ASSERT_EQ(set.train.bytes.size(), static_cast<std::size_t>(train) * kPixels);
    ASSERT_EQ(set.test.bytes.size(), static_cast<std::size_t>(format_.test_images) * kPixels);
    for (std::size_t i = 0; i < written_.size(); ++i) {
      const bool test = static_cast<int>(i) >= train;
      const SampleSet& part = test ? set.test : set.train;
      const auto row = static_cast<std::ptrdiff_t>(test ? i - train : i);
      ASSERT_EQ(part.label[row], written_[i].labels.back()) << "image " << i;
      for (int y = 0; y < 32; ++y)
        for (int x = 0; x < 32; ++x)
          for (int c = 0; c < 3; ++c)
            ASSERT_EQ(part.bytes[row * kPixels + (y * 32 + x) * 3 + c], written_[i].pixels[c * 1024 + y * 32 + x])
                << "image " << i << ", row " << y << ", column " << x << ", channel " << c;
    }
  }

  CifarFormat format_;
  TemporaryFolder folder_;
  std::vector<Image> written_;
  std::mt19937 random_{7};
};

class Cifar10 : public Cifar {
 protected:
  Cifar10() : Cifar("cifar10") {}
};
class Cifar100 : public Cifar {
 protected:
  Cifar100() : Cifar("cifar100") {}
};

TEST(CifarFormat, IsThatOfTheRealFiles) {
  const CifarFormat ten = cifar10_format(), hundred = cifar100_format();
  EXPECT_EQ(ten.train_files, (std::vector<std::string>{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                                       "data_batch_4.bin", "data_batch_5.bin"}));
  EXPECT_EQ(ten.test_file, "test_batch.bin");
  EXPECT_EQ(hundred.train_files, std::vector<std::string>{"train.bin"});
  EXPECT_EQ(hundred.test_file, "test.bin");
  EXPECT_EQ(std::pair(ten.train_images, ten.test_images), std::pair(10000, 10000));
  EXPECT_EQ(std::pair(hundred.train_images, hundred.test_images), std::pair(50000, 10000));
  EXPECT_EQ(ten.label_classes, std::vector<int>{10});
  EXPECT_EQ(hundred.label_classes, (std::vector<int>{20, 100}));
  EXPECT_EQ(ten.samples(), 60000);
  EXPECT_EQ(hundred.samples(), 60000);
}

TEST_F(Cifar10, FilesAreReadInOrderWithTheChannelsOfAPixelTogether) {
  write_all();
  const Dataset set = load();
  expect_what_was_written(set);
  EXPECT_EQ(set.name, "cifar10");
  EXPECT_EQ(set.classes, 10);
  EXPECT_EQ(set.features, kPixels);
  EXPECT_EQ(set.image, (ImageShape{.height = 32, .width = 32, .channels = 3}));
}

TEST_F(Cifar10, FilesForPythonAreReadWhereTheBinaryOnesAreMissing) {
  fs::create_directories(folder_ / "cifar-10-batches-py");
  pickle_all("cifar-10-batches-py/");
  expect_what_was_written(load());
  written_.clear();
  write_all();
  expect_what_was_written(load());
}

TEST_F(Cifar10, FilesForPythonMayLieInTheFolderItself) {
  pickle_all();
  expect_what_was_written(load());
}

TEST_F(Cifar100, FineLabelsOfFilesForPythonAreUsed) {
  fs::create_directories(folder_ / "cifar-100-python");
  pickle_all("cifar-100-python/");
  expect_what_was_written(load());
}

TEST_F(Cifar10, WhatIsWrongWithFilesForPythonIsSaid) {
  pickle_all();
  const std::string good = read_file(folder_ / "data_batch_2");
  const auto refused = [&](const std::string& bytes) {
    write_file(folder_ / "data_batch_2", bytes);
    const std::string line = error();
    EXPECT_NE(line.find("; expected a file of the Python version of cifar10, or the binary version, which "),
              std::string::npos)
        << line;
    EXPECT_NE(line.find("data_batch_2"), std::string::npos) << line;
    return line;
  };
  const auto says = [&](const std::string& bytes, const std::string& words) {
    const std::string line = refused(bytes);
    EXPECT_NE(line.find(words), std::string::npos) << line;
  };
  says("", "expected 9216 to 10016 bytes, got 0");
  says(good.substr(0, 9300), "it ends too early");
  says(good + std::string(2000, '.'), "expected 9216 to 10016 bytes");
  says(pickled_images({"labels"}, {{1, 2}}, std::string(3 * kPixels, 'x')), "expected 3 labels, got 2");
  says(pickled_images({"labels"}, {{1, 2, 10}}, std::string(3 * kPixels, 'x')),
       "labels 2, counted from 0: expected a label below 10");
  says(pickled_images({"fine_labels"}, {{1, 2, 3}}, std::string(3 * kPixels, 'x')),
       "expected a dict with the key labels");
  says(pickled_images({"labels"}, {{1, 2, 3}}, std::string(3 * kPixels + 1, 'x')),
       "data: expected an array of 9216 bytes");
  std::error_code code;
  fs::remove(folder_ / "data_batch_2", code);
  EXPECT_NE(error().find("data_batch_2"), std::string::npos) << error();
}

TEST_F(Cifar100, FineLabelIsUsed) {
  write_all();
  const Dataset set = load();
  expect_what_was_written(set);
  EXPECT_EQ(set.name, "cifar100");
  EXPECT_EQ(set.classes, 100);
}

TEST_F(Cifar10, FilesOfManyBlocksAreReadWhole) {
  for (const int images : {63, 64, 65, 150}) {
    format_.train_images = images;
    written_.clear();
    write_all();
    expect_what_was_written(load());
  }
}

TEST_F(Cifar10, SubfolderOfTheArchiveIsFound) {
  fs::create_directory(folder_ / "cifar-10-batches-bin");
  write_all("cifar-10-batches-bin/");
  expect_what_was_written(load());
  written_.clear();
  write_all();  // the folder itself comes first
  expect_what_was_written(load());
}

TEST_F(Cifar100, SubfolderOfTheArchiveIsFound) {
  fs::create_directory(folder_ / "cifar-100-binary");
  write_all("cifar-100-binary/");
  expect_what_was_written(load());
}

TEST_F(Cifar10, ChannelsHaveTheirOwnMeanAndDeviation) {
  write_all();
  const Dataset set = load();
  const double mean[] = {0.4914, 0.4822, 0.4465}, deviation[] = {0.2470, 0.2435, 0.2616};
  ASSERT_EQ(set.channel.size(), 3u);
  for (int c = 0; c < 3; ++c)
    for (const double byte : {0.0, 77.0, 255.0})
      EXPECT_NEAR(set.channel[c].scale * byte + set.channel[c].offset, (byte / 255 - mean[c]) / deviation[c], 1e-6);
}

TEST_F(Cifar100, ChannelsHaveTheirOwnMeanAndDeviation) {
  write_all();
  const Dataset set = load();
  const double mean[] = {0.5071, 0.4865, 0.4409}, deviation[] = {0.2673, 0.2564, 0.2762};
  for (int c = 0; c < 3; ++c)
    EXPECT_NEAR(set.channel[c].scale * 200 + set.channel[c].offset, (200 / 255.0 - mean[c]) / deviation[c], 1e-6);
}

TEST_F(Cifar10, MissingFilesNameTheCommandThatGetsThem) {
  EXPECT_EQ(error(), "F/data_batch_1.bin: no such file; \"data/fetch.sh cifar10 F\" gets it");
  write_all();
  fs::remove(folder_ / "data_batch_4.bin");
  EXPECT_EQ(error(), "F/data_batch_4.bin: no such file; \"data/fetch.sh cifar10 F\" gets it");
  EXPECT_EQ(error_of([&] { load_cifar(format_, "data/cifar10"); }),
            "data.path: no folder \"data/cifar10\" with the files of cifar10; \"data/fetch.sh cifar10\" gets them");
  EXPECT_EQ(
      error_of([&] { load_cifar(format_, "no/where"); }),
      "data.path: no folder \"no/where\" with the files of cifar10; \"data/fetch.sh cifar10 no/where\" gets them");
}

TEST_F(Cifar10, SizesMustBeExact) {
  const std::string expected =
      "F/data_batch_2.bin: expected 9219 bytes, 3 images of 3073 each; got {}; \"data/fetch.sh cifar10 F\" gets "
      "another copy once this one is gone";
  write_all();
  const std::string good = read_file(folder_ / "data_batch_2.bin");
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, good.size() - 1, good.size() + 1, 2 * good.size()}) {
    std::string bytes = good;
    bytes.resize(size);
    write_file(folder_ / "data_batch_2.bin", bytes);
    EXPECT_EQ(error(), fmt::format(fmt::runtime(expected), size));
  }
  write_file(folder_ / "data_batch_2.bin", good);
  fs::resize_file(folder_ / "test_batch.bin", std::uintmax_t{1} << 40);  // sparse
  EXPECT_NE(error().find("got 1099511627776;"), std::string::npos);
}

TEST_F(Cifar10, LabelsMustBeClasses) {
  write_all();
  std::string bytes = read_file(folder_ / "data_batch_3.bin");
  bytes[2 * (1 + kPixels)] = 10;
  write_file(folder_ / "data_batch_3.bin", bytes);
  EXPECT_EQ(error(), "F/data_batch_3.bin: image 2, counted from 0: expected a label below 10, got 10");
}

TEST_F(Cifar100, BothLabelsMustBeClasses) {
  write_all();
  const std::string good = read_file(folder_ / "test.bin");
  for (const auto& [place, classes, label] : {std::tuple{0, 20, 20}, {0, 20, 255}, {1, 100, 100}}) {
    std::string bytes = good;
    bytes[1 * (2 + kPixels) + place] = static_cast<char>(label);
    write_file(folder_ / "test.bin", bytes);
    EXPECT_EQ(error(),
              fmt::format("F/test.bin: image 1, counted from 0: expected a label below {}, got {}", classes, label));
  }
}

TEST_F(Cifar10, WhatIsNoFileIsRefusedNotWaitedFor) {
  write_all();
  fs::remove(folder_ / "data_batch_1.bin");
  ASSERT_EQ(mkfifo((folder_ / "data_batch_1.bin").c_str(), 0600), 0);
  EXPECT_EQ(error(), "F/data_batch_1.bin: expected a regular file");
  fs::remove(folder_ / "data_batch_1.bin");
  fs::create_directory(folder_ / "data_batch_1.bin");
  EXPECT_EQ(error(), "F/data_batch_1.bin: expected a regular file");
  const std::string file = folder_ / "test_batch.bin";
  EXPECT_EQ(error_of([&] { load_cifar(format_, file); }),
            "data.path: expected a folder with the files of cifar10, got \"" + file + "\"");
}

}  // namespace
}  // namespace sparsepush
