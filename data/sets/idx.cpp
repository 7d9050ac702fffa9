#include "data/sets/idx.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "data/files/input_error.h"
#include "data/files/sha256.h"
#include "data/files/whole_file.h"

namespace sparsepush {
namespace {

/// The bytes of an IDX file of unsigned bytes, which must have the shape `shape`.
class IdxFile {
 public:
  IdxFile(const SetFolder& folder, const std::string& name, std::vector<std::uint32_t> shape)
      : shape_(std::move(shape)),
        bytes_(std::accumulate(shape_.begin(), shape_.end(), std::int64_t{1}, std::multiplies{})),
        file_(folder, name, bytes_ + 4 * (1 + static_cast<std::int64_t>(shape_.size())),
              fmt::format("a header and [{}] bytes", fmt::join(shape_, ", "))) {}

  std::vector<std::uint8_t> read() {
    const std::uint32_t magic = 0x800u | static_cast<std::uint32_t>(shape_.size()), found = read_number();
    if (found != magic)
      throw InputError("{}: expected the magic number {:#010x} of IDX, got {:#010x}", path(), magic, found);
    std::vector<std::uint32_t> shape;
    while (shape.size() < shape_.size()) shape.push_back(read_number());
    if (shape != shape_)
      throw InputError("{}: expected the shape [{}] in its header, got [{}]", path(), fmt::join(shape_, ", "),
                       fmt::join(shape, ", "));
    std::vector<std::uint8_t> bytes(bytes_);
    file_.read(bytes);
    return bytes;
  }

  const std::string& path() const { return file_.path(); }

 private:
  std::uint32_t read_number() {
    std::uint8_t b[4];
    file_.read(b);
    return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  }

  std::vector<std::uint32_t> shape_;
  std::int64_t bytes_;
  SetFile file_;
};

/// The files of one part of a set.
struct PartFiles {
  IdxFile images, labels;

  PartFiles(const SetFolder& folder, const std::string& part, std::uint32_t count, const ImageShape& image)
      : images(folder, part + "-images-idx3-ubyte",
               {count, static_cast<std::uint32_t>(image.height), static_cast<std::uint32_t>(image.width)}),
        labels(folder, part + "-labels-idx1-ubyte", {count}) {}

  SampleSet read(int classes) {
    SampleSet set{.count = 0, .bytes = images.read(), .label = labels.read()};
    set.count = static_cast<int>(set.label.size());
    const auto wrong = std::ranges::find_if(set.label, [&](std::uint8_t label) { return label >= classes; });
    if (wrong != set.label.end())
      throw InputError("{}: image {}, counted from 0: expected a label below {}, got {}", labels.path(),
                       wrong - set.label.begin(), classes, *wrong);
    return set;
  }
};

const KnownLabels* find_known(const IdxFormat& format, std::span<const std::uint8_t> file) {
  const auto known = std::ranges::find(format.known, sha256(file), &KnownLabels::digest);
  return known == format.known.end() ? nullptr : &*known;
}

std::vector<std::uint8_t> bytes_of(const std::string& path) {
  const std::string text = text_of(path);
  return {text.begin(), text.end()};
}

/// Throws InputError if the labels are those of another known set; returns a warning if they are of none.
std::string check_identity(const IdxFormat& format, const std::string& path, std::span<const std::uint8_t> labels) {
  const auto count = static_cast<std::uint32_t>(labels.size());
  std::vector<std::uint8_t> unpacked = {0, 0, 8, 1};
  for (int shift = 24; shift >= 0; shift -= 8) unpacked.push_back(static_cast<std::uint8_t>(count >> shift));
  unpacked.insert(unpacked.end(), labels.begin(), labels.end());
  const KnownLabels* known = find_known(format, unpacked);
  if (!known && path.ends_with(".gz")) known = find_known(format, bytes_of(path));
  if (!known)
    return fmt::format("{}: its SHA-256 is not that of the labels of {}, nor of another set that is known", path,
                       format.name);
  if (known->set != format.name)
    throw InputError("{}: by its SHA-256 it has the labels of {}, not of {}", path, known->set, format.name);
  return "";
}

Dataset idx_outline(const IdxFormat& format) {
  Dataset set{.name = format.name, .classes = format.classes};
  set_image(&set, format.image, {&format.channel, 1});
  set.train.count = format.train_images;
  set.test.count = format.test_images;
  return set;
}

}  // namespace

std::vector<KnownLabels> published_labels() {
  return {
      {"mnist", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"},
      {"mnist", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"},
      {"fashion_mnist", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
      {"fashion_mnist", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
      {"KMNIST", "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"},
      {"KMNIST", "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"},
  };
}

IdxFormat mnist_format() { return {.name = "mnist", .channel = {0.1307, 0.3081}, .subfolders = {"raw", "MNIST/raw"}}; }

IdxFormat fashion_mnist_format() {
  return {.name = "fashion_mnist", .channel = {0.2860, 0.3530}, .subfolders = {"raw", "FashionMNIST/raw"}};
}

Dataset load_idx(const IdxFormat& format, const std::string& path) {
  SetFolder folder(format.name, path);
  for (const std::string& subfolder : format.subfolders) folder.enter(subfolder, "train-images-idx3-ubyte");
  PartFiles train(folder, "train", format.train_images, format.image);
  PartFiles test(folder, "t10k", format.test_images, format.image);
  Dataset set = idx_outline(format);
  set.train = train.read(format.classes);
  set.test = test.read(format.classes);
  for (const auto& [file, labels] : {std::pair(&train.labels, &set.train.label), {&test.labels, &set.test.label}})
    if (const std::string warning = check_identity(format, file->path(), *labels); !warning.empty())
      set.warnings.push_back(warning);
  return set;
}

DataSource idx_source(const IdxFormat& format) {
  return {.name = format.name,
          .keys = {"data.path", "data.augment"},
          .outline = [format](const DataConfig&) { return idx_outline(format); },
          .load = [format](const DataConfig& data) { return load_idx(format, data.path); }};
}

}  // namespace sparsepush
