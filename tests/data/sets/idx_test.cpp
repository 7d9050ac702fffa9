#include "data/sets/idx.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "data/files/sha256.h"
#include "tests/data/error_of.h"
#include "tests/temporary_folder.h"

namespace sparsepush {
namespace {

namespace fs = std::filesystem;

constexpr int kTrain = 5, kTest = 3, kHeight = 2, kWidth = 3, kPixels = kHeight * kWidth;

std::string big_endian(std::uint32_t number) {
  return {static_cast<char>(number >> 24), static_cast<char>(number >> 16), static_cast<char>(number >> 8),
          static_cast<char>(number)};
}

std::string header(const std::vector<std::uint32_t>& numbers) {
  std::string bytes;
  for (const std::uint32_t number : numbers) bytes += big_endian(number);
  return bytes;
}

/// Few and small images, in the format of the real ones.
class Idx : public testing::Test {
 protected:
  Idx() {
    for (std::string* bytes : {&train_pixels_, &test_pixels_})
      for (int i = 0; i < (bytes == &train_pixels_ ? kTrain : kTest) * kPixels; ++i)
        *bytes += static_cast<char>(random_() % 256);
    write("train-images-idx3-ubyte", header({0x803, kTrain, kHeight, kWidth}) + train_pixels_);
    write("train-labels-idx1-ubyte", header({0x801, kTrain}) + train_labels_);
    write("t10k-images-idx3-ubyte", header({0x803, kTest, kHeight, kWidth}) + test_pixels_);
    write("t10k-labels-idx1-ubyte", header({0x801, kTest}) + test_labels_);
  }

  void write(const std::string& file, const std::string& bytes) { write_file(folder_ / file, bytes); }
  Dataset load(const std::string& name = "mnist") const {
    IdxFormat format = name == "mnist" ? mnist_format() : fashion_mnist_format();
    format.train_images = kTrain;
    format.test_images = kTest;
    format.image = {.height = kHeight, .width = kWidth};
    return load_idx(format, folder_.path());
  }
  std::string error() const {
    return error_of([&] { load(); }, folder_.path());
  }

  TemporaryFolder folder_;
  std::mt19937 random_{3};
  std::string train_pixels_, test_pixels_;
  std::string train_labels_ = {9, 0, 3, 3, 1}, test_labels_ = {2, 9, 0};
};

std::string text(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

TEST(IdxFormat, IsThatOfTheRealFiles) {
  for (const std::string name : {"mnist", "fashion_mnist"}) {
    const IdxFormat format = name == "mnist" ? mnist_format() : fashion_mnist_format();
    EXPECT_EQ(format.name, name);
    EXPECT_EQ(format.train_images, 60000);
    EXPECT_EQ(format.test_images, 10000);
    EXPECT_EQ(format.samples(), 70000);
    EXPECT_EQ(format.image, (ImageShape{.height = 28, .width = 28}));
    EXPECT_EQ(format.classes, 10);
  }
}

TEST_F(Idx, BytesAndLabelsAreThoseOfTheFiles) {
  const Dataset set = load();
  EXPECT_EQ(set.train.count, kTrain);
  EXPECT_EQ(set.test.count, kTest);
  EXPECT_EQ(text(set.train.bytes), train_pixels_);
  EXPECT_EQ(text(set.train.label), train_labels_);
  EXPECT_EQ(text(set.test.bytes), test_pixels_);
  EXPECT_EQ(text(set.test.label), test_labels_);
  EXPECT_EQ(set.features, kPixels);
  EXPECT_EQ(set.image, (ImageShape{.height = kHeight, .width = kWidth}));
  EXPECT_EQ(set.classes, 10);
}

TEST_F(Idx, FeaturesHaveMeanZeroAndDeviationOneOnTheRealTrainingSet) {
  for (const auto& [name, mean, deviation] : {std::tuple{"mnist", 0.1307, 0.3081}, {"fashion_mnist", 0.2860, 0.3530}}) {
    const Dataset set = load(name);
    EXPECT_EQ(set.name, name);
    ASSERT_EQ(set.channel.size(), 1u);
    for (const double byte : {0.0, 33.0, 255.0})
      EXPECT_NEAR(set.channel[0].scale * byte + set.channel[0].offset, (byte / 255 - mean) / deviation, 1e-6);
  }
}

TEST_F(Idx, MissingFilesNameTheCommandThatGetsThem) {
  for (const char* file :
       {"t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "train-labels-idx1-ubyte", "train-images-idx3-ubyte"}) {
    fs::remove(folder_ / file);
    EXPECT_EQ(error(), std::string("F/") + file + ": no such file; \"data/fetch.sh mnist F\" gets it");
  }
  EXPECT_EQ(error_of([] { load_idx(fashion_mnist_format(), "data/fashion_mnist"); }),
            "data.path: no folder \"data/fashion_mnist\" with the files of fashion_mnist; \"data/fetch.sh "
            "fashion_mnist\" gets them");
}

TEST_F(Idx, LabelsOfAnotherKnownSetAreRefusedAndOfNoneWarnedOf) {
  const std::string train = header({0x801, kTrain}) + train_labels_, test = header({0x801, kTest}) + test_labels_;
  const auto digest = [](const std::string& file) {
    return sha256({reinterpret_cast<const std::uint8_t*>(file.data()), file.size()});
  };
  const std::string train_digest = digest(train), test_digest = digest(test);
  IdxFormat format = mnist_format();
  format.train_images = kTrain;
  format.test_images = kTest;
  format.image = {.height = kHeight, .width = kWidth};
  const auto load_with = [&](std::vector<KnownLabels> known) {
    format.known = std::move(known);
    return load_idx(format, folder_.path());
  };
  EXPECT_TRUE(load_with({{"mnist", train_digest}, {"mnist", test_digest}}).warnings.empty());
  const auto warnings = load_with({{"mnist", train_digest}}).warnings;
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("t10k-labels-idx1-ubyte: its SHA-256 is not that of the labels of mnist"),
            std::string::npos);
  EXPECT_EQ(error_of(
                [&] {
                  load_with({{"mnist", train_digest}, {"KMNIST", test_digest}});
                },
                folder_.path()),
            "F/t10k-labels-idx1-ubyte: by its SHA-256 it has the labels of KMNIST, not of mnist");
}

TEST_F(Idx, SizesMustBeExact) {
  const std::string images = read_file(folder_ / "train-images-idx3-ubyte");
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{3}, std::size_t{15}, images.size() - 1, images.size() + 1}) {
    std::string bytes = images;
    bytes.resize(size);
    write("train-images-idx3-ubyte", bytes);
    EXPECT_EQ(error(), fmt::format("F/train-images-idx3-ubyte: expected 46 bytes, a header and [5, 2, 3] bytes; got "
                                   "{}; \"data/fetch.sh mnist F\" gets another copy once this one is gone",
                                   size));
  }
  write("train-images-idx3-ubyte", images);
  write("t10k-labels-idx1-ubyte", header({0x801, kTest}) + test_labels_ + "\1");
  EXPECT_NE(error().find("F/t10k-labels-idx1-ubyte: expected 11 bytes"), std::string::npos);
}

TEST_F(Idx, HeadersMustSayWhatTheFileHolds) {
  for (const std::uint32_t magic : {0u, 0x801u, 0x802u, 0x804u, 0x903u, 0x03080000u, 0xffffffffu}) {
    write("train-images-idx3-ubyte", header({magic, kTrain, kHeight, kWidth}) + train_pixels_);
    EXPECT_EQ(error(), fmt::format("F/train-images-idx3-ubyte: expected the magic number 0x00000803 of IDX, got "
                                   "{:#010x}",
                                   magic));
  }
  for (const auto& shape : std::vector<std::vector<std::uint32_t>>{
           {kTest, kHeight, kWidth}, {kTrain, kWidth, kHeight}, {kTrain, 1, kPixels}, {0xffffffff, 0xffffffff, 0}}) {
    write("train-images-idx3-ubyte", header({0x803, shape[0], shape[1], shape[2]}) + train_pixels_);
    EXPECT_EQ(error(), fmt::format("F/train-images-idx3-ubyte: expected the shape [5, 2, 3] in its header, got "
                                   "[{}, {}, {}]",
                                   shape[0], shape[1], shape[2]));
  }
  write("train-images-idx3-ubyte", header({0x803, kTrain, kHeight, kWidth}) + train_pixels_);
  write("t10k-labels-idx1-ubyte", header({0x801, kTest + 1}) + test_labels_);
  EXPECT_EQ(error(), "F/t10k-labels-idx1-ubyte: expected the shape [3] in its header, got [4]");
}

TEST_F(Idx, LabelsMustBeClasses) {
  for (const int label : {10, 255}) {
    test_labels_[1] = static_cast<char>(label);
    write("t10k-labels-idx1-ubyte", header({0x801, kTest}) + test_labels_);
    EXPECT_EQ(
        error(),
        fmt::format("F/t10k-labels-idx1-ubyte: image 1, counted from 0: expected a label below 10, got {}", label));
  }
}

}  // namespace
}  // namespace sparsepush
