#include "data/sets/idx.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <vector>

#include "data/files/input_error.h"

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

}  // namespace

IdxFormat mnist_format() { return {.name = "mnist", .channel = {0.1307, 0.3081}}; }

IdxFormat fashion_mnist_format() { return {.name = "fashion_mnist", .channel = {0.2860, 0.3530}}; }

Dataset load_idx(const IdxFormat& format, const std::string& path) {
  const SetFolder folder(format.name, path);
  PartFiles train(folder, "train", format.train_images, format.image);
  PartFiles test(folder, "t10k", format.test_images, format.image);
  Dataset set{.name = format.name, .classes = format.classes};
  set_image(&set, format.image, {&format.channel, 1});
  set.train = train.read(format.classes);
  set.test = test.read(format.classes);
  return set;
}

DataSource idx_source(const IdxFormat& format) {
  return {.name = format.name,
          .keys = {"data.path", "data.augment"},
          .size = [format](const DataConfig&) -> DataSource::Size {
            return {format.samples(), format.image.size()};
          },
          .load = [format](const DataConfig& data) { return load_idx(format, data.path); }};
}

}  // namespace sparsepush
