// Names and shapes of the tensors that follow one another in a node's row.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// Name and shape of one tensor, in the usual PyTorch order; tensor s is segment s of the row.
struct Parameter {
  std::string name;                 ///< such as "fc1.weight"
  std::vector<std::int64_t> shape;  ///< such as [out, in]

  std::int64_t elements() const {
    std::int64_t product = 1;
    for (const std::int64_t side : shape) product *= side;
    return product;
  }
};

inline std::int64_t elements_of(const std::vector<Parameter>& tensors) {
  std::int64_t sum = 0;
  for (const Parameter& tensor : tensors) sum += tensor.elements();
  return sum;
}

inline RowLayout row_layout_of(const std::vector<Parameter>& tensors) {
  std::vector<std::int64_t> sizes;
  for (const Parameter& tensor : tensors) sizes.push_back(tensor.elements());
  RowLayout layout = make_row_layout(sizes);
  for (std::size_t s = 0; s < tensors.size(); ++s)
    if (!tensors[s].shape.empty()) layout.segments[s].rows = tensors[s].shape.front();
  return layout;
}

}  // namespace sparsepush
