// Standard normal values for tests.
#pragma once
#include <random>
#include <vector>

namespace sparsepush {

inline std::vector<float> random_values(std::size_t size, std::mt19937& generator) {
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& v : values) v = normal(generator);
  return values;
}

}  // namespace sparsepush
