#include "data/sets/cifar.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>

#include "data/files/durable_file.h"
#include "data/files/input_error.h"
#include "data/files/mapped_file.h"
#include "data/files/pickle.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMostPickled = 200;  // bytes of an image besides pixels, and values besides those of images
constexpr int kRecordsAtOnce = 64;          // some 200 kB: few system calls, and no second copy of a file

std::size_t record_bytes(const CifarFormat& format) { return format.label_classes.size() + kCifarImage.size(); }

SetFile open_file(const CifarFormat& format, const SetFolder& folder, const std::string& name, int images) {
  const std::size_t bytes = record_bytes(format);
  return {folder, name, static_cast<std::int64_t>(images * bytes), fmt::format("{} images of {} each", images, bytes)};
}

std::array<std::uint8_t, kCifarImage.size()> channels_last(std::span<const std::uint8_t, kCifarImage.size()> planes) {
  std::array<std::uint8_t, kCifarImage.size()> image;
  for (int p = 0; p < kCifarImage.pixels(); ++p)
    for (int c = 0; c < kCifarImage.channels; ++c)
      image[p * kCifarImage.channels + c] = planes[c * kCifarImage.pixels() + p];
  return image;
}

void append_images(const CifarFormat& format, SetFile& file, int images, SampleSet* set) {
  const std::size_t labels = format.label_classes.size(), size = record_bytes(format);
  std::vector<std::uint8_t> block(kRecordsAtOnce * size);
  for (int image = 0; image < images; ++image) {
    const int in_block = image % kRecordsAtOnce;
    if (in_block == 0) file.read(std::span(block).first(std::min(kRecordsAtOnce, images - image) * size));
    const auto record = std::span<const std::uint8_t>(block).subspan(in_block * size, size);
    for (std::size_t i = 0; i < labels; ++i)
      if (record[i] >= format.label_classes[i])
        throw InputError("{}: image {}, counted from 0: expected a label below {}, got {}", file.path(), image,
                         format.label_classes[i], record[i]);
    set->label.push_back(record[labels - 1]);
    const std::array pixels = channels_last(record.subspan(labels).first<kCifarImage.size()>());
    set->bytes.insert(set->bytes.end(), pixels.begin(), pixels.end());
  }
  set->count += images;
}

void reserve(int images, SampleSet* set) {  // growing would take several times the memory
  set->label.reserve(images);
  set->bytes.reserve(static_cast<std::size_t>(images) * kCifarImage.size());
}

std::string python_name(const std::string& binary) { return binary.substr(0, binary.rfind('.')); }

/// Finds the folder in `folder` that has the files for Python; none where the binary files are there, or neither.
std::optional<std::string> python_folder(const CifarFormat& format, const SetFolder& folder) {
  std::error_code error;
  const std::string& first = format.train_files.front();
  if (std::filesystem::exists(folder.find(first), error)) return {};
  for (const std::string& place : {folder.path_of(format.python_subfolder), folder.path_of(".")})
    if (std::filesystem::is_regular_file(place + "/" + python_name(first), error)) return place;
  return {};
}

/// Throws what is wrong with a file for Python, and what else would do.
[[noreturn]] void refuse_pickle(const CifarFormat& format, const SetFolder& folder, const std::string& what) {
  throw InputError("{}; expected a file of the Python version of {}, or the binary version, which \"{}\" gets", what,
                   format.name, folder.command());
}

/// Reads the labels under `key`, which must all be below `classes`.
std::vector<std::uint8_t> pickled_labels(const Pickle& pickle, const std::string& path, const std::string& key,
                                         int classes, int images) {
  const PickleValue& list = pickle[key];
  std::vector<std::uint8_t> labels;
  for (const std::size_t number : list.items) {
    const PickleValue& label = pickle.value(number);
    if (label.kind != PickleValue::kInteger || label.integer < 0 || label.integer >= classes)
      throw InputError("{}: {} {}, counted from 0: expected a label below {}", path, key, labels.size(), classes);
    labels.push_back(static_cast<std::uint8_t>(label.integer));
  }
  if (list.kind != PickleValue::kSequence || std::ssize(labels) != images)
    throw InputError("{}: expected {} {}, got {}", path, images, key, labels.size());
  return labels;
}

void append_pickled(const CifarFormat& format, const std::string& path, int images, SampleSet* set) {
  const std::int64_t pixels = std::int64_t{images} * kCifarImage.size();
  const std::int64_t most = pixels + images * kMostPickled + kMostPickled;
  const OpenFile file(path, O_RDONLY);
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path));
  if (size < pixels || size > most) throw InputError("{}: expected {} to {} bytes, got {}", path, pixels, most, size);
  const MappedFile mapped(file, size, path);
  const Pickle pickle(mapped.bytes(), path, static_cast<std::size_t>(10 * images + kMostPickled));
  for (std::size_t i = 0; i < format.label_keys.size(); ++i) {
    const auto labels = pickled_labels(pickle, path, format.label_keys[i], format.label_classes[i], images);
    if (i + 1 == format.label_keys.size()) set->label.insert(set->label.end(), labels.begin(), labels.end());
  }
  const PickleValue& data = pickle["data"];
  if (data.kind != PickleValue::kArray || std::ssize(data.bytes) != pixels)
    throw InputError("{}: data: expected an array of {} bytes", path, pixels);
  const std::span planes(reinterpret_cast<const std::uint8_t*>(data.bytes.data()), data.bytes.size());
  for (int image = 0; image < images; ++image) {
    const std::array bytes =
        channels_last(planes.subspan(static_cast<std::size_t>(image) * kCifarImage.size()).first<kCifarImage.size()>());
    set->bytes.insert(set->bytes.end(), bytes.begin(), bytes.end());
  }
  set->count += images;
}

}  // namespace

CifarFormat cifar10_format() {
  return {.name = "cifar10",
          .subfolder = "cifar-10-batches-bin",
          .python_subfolder = "cifar-10-batches-py",
          .train_files = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                          "data_batch_5.bin"},
          .test_file = "test_batch.bin",
          .train_images = 10'000,
          .test_images = 10'000,
          .label_classes = {10},
          .label_keys = {"labels"},
          .channels = {{{0.4914, 0.2470}, {0.4822, 0.2435}, {0.4465, 0.2616}}}};
}

CifarFormat cifar100_format() {
  return {.name = "cifar100",
          .subfolder = "cifar-100-binary",
          .python_subfolder = "cifar-100-python",
          .train_files = {"train.bin"},
          .test_file = "test.bin",
          .train_images = 50'000,
          .test_images = 10'000,
          .label_classes = {20, 100},  // coarse, fine
          .label_keys = {"coarse_labels", "fine_labels"},
          .channels = {{{0.5071, 0.2673}, {0.4865, 0.2564}, {0.4409, 0.2762}}}};
}

namespace {

Dataset cifar_outline(const CifarFormat& format) {
  Dataset set{.name = format.name, .classes = format.label_classes.back()};
  set_image(&set, kCifarImage, format.channels);
  set.train.count = static_cast<int>(format.train_files.size()) * format.train_images;
  set.test.count = format.test_images;
  return set;
}

Dataset load_python(const CifarFormat& format, const SetFolder& folder, const std::string& place) {
  Dataset set = cifar_outline(format);
  set.train.count = set.test.count = 0;
  reserve(static_cast<int>(format.train_files.size()) * format.train_images, &set.train);
  reserve(format.test_images, &set.test);
  try {
    for (const std::string& name : format.train_files)
      append_pickled(format, place + "/" + python_name(name), format.train_images, &set.train);
    append_pickled(format, place + "/" + python_name(format.test_file), format.test_images, &set.test);
  } catch (const std::runtime_error& error) {  // a missing file as well
    refuse_pickle(format, folder, error.what());
  }
  return set;
}

}  // namespace

Dataset load_cifar(const CifarFormat& format, const std::string& path) {
  SetFolder folder(format.name, path);
  folder.enter(format.subfolder, format.train_files.front());
  const auto python = python_folder(format, folder);
  if (python) return load_python(format, folder, *python);
  std::vector<SetFile> train;
  for (const std::string& name : format.train_files)
    train.push_back(open_file(format, folder, name, format.train_images));
  SetFile test = open_file(format, folder, format.test_file, format.test_images);
  Dataset set = cifar_outline(format);
  set.train.count = set.test.count = 0;
  reserve(static_cast<int>(train.size()) * format.train_images, &set.train);
  reserve(format.test_images, &set.test);
  for (SetFile& file : train) append_images(format, file, format.train_images, &set.train);
  append_images(format, test, format.test_images, &set.test);
  return set;
}

DataSource cifar_source(const CifarFormat& format) {
  return {.name = format.name,
          .keys = {"data.path", "data.augment"},
          .outline = [format](const DataConfig&) { return cifar_outline(format); },
          .load = [format](const DataConfig& data) { return load_cifar(format, data.path); }};
}

}  // namespace sparsepush
