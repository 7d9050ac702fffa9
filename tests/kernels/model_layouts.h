// Sizes of the tensors of known networks, as benchmarks lay them out in a row.
#pragma once
#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sparsepush {

/// ResNet-20 for CIFAR-10: convolutions, normalisation, classifier; 59 tensors.
inline std::vector<std::int64_t> resnet20_sizes() {
  std::vector<std::int64_t> sizes = {432};
  const auto add = [&](int count, std::int64_t size) { sizes.insert(sizes.end(), count, size); };
  add(6, 2304), add(1, 4608), add(5, 9216), add(1, 18432), add(5, 36864);
  add(14, 16), add(12, 32), add(12, 64);
  add(1, 640), add(1, 10);
  return sizes;
}

/// VGG11 for CIFAR-10: convolutions with biases, a hidden dense layer and the classifier.
inline std::vector<std::int64_t> vgg11_sizes() {
  return {1728,    64,  73728,   128, 294912,  256, 589824, 256, 1179648, 512,
          2359296, 512, 2359296, 512, 2359296, 512, 262144, 512, 5120,    10};
}

/// An MLP 64-16-10.
inline std::vector<std::int64_t> mlp_sizes() { return {1024, 16, 160, 10}; }

/// The layout called `name`: resnet20, vgg11, mlp, or segment:SIZE for a single tensor.
inline std::vector<std::int64_t> sizes_of_layout(std::string_view name) {
  if (name == "resnet20") return resnet20_sizes();
  if (name == "vgg11") return vgg11_sizes();
  if (name == "mlp") return mlp_sizes();
  constexpr std::string_view kSegment = "segment:";
  std::int64_t size = 0;
  if (name.starts_with(kSegment)) {
    const auto end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + kSegment.size(), end, size);
    if (error == std::errc() && stop == end && size > 0) return {size};
  }
  throw std::invalid_argument("unknown layout \"" + std::string(name) +
                              "\"; expected resnet20, vgg11, mlp or segment:SIZE");
}

}  // namespace sparsepush
