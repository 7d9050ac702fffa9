#include "data/sets/digits.h"

namespace sparsepush {
namespace {

constexpr ImageShape kImage = {.height = 8, .width = 8};
constexpr int kPixels = 64;
constexpr ByteScale kScale = {.scale = 1.0f / 16, .offset = 0};
constexpr char kImages[][1 + kPixels + 1] = {
#include "data/sets/digits_images.inc"
};

}  // namespace

Dataset load_digits() {
  Dataset digits{.name = "digits", .features = kPixels, .image = kImage, .classes = 10, .channel = {kScale}};
  int i = 0;
  for (const auto& image : kImages) {
    SampleSet& set = is_test_sample(i++) ? digits.test : digits.train;
    ++set.count;
    set.label.push_back(static_cast<std::uint8_t>(image[0] - '0'));
    for (int pixel = 0; pixel < kPixels; ++pixel)
      set.bytes.push_back(static_cast<std::uint8_t>(image[1 + pixel] - 'A'));
  }
  return digits;
}

DataSource digits_source() {
  return {.name = "digits",
          .keys = {"data.augment"},
          .outline = [](const DataConfig&) { return outline_of(load_digits()); },
          .load = [](const DataConfig&) { return load_digits(); }};
}

}  // namespace sparsepush
