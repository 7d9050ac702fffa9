// Layers in TF32 with random numbers, of shapes that tensor cores have kernels for.
#pragma once
#include <vector>

#include "tests/kernels/layers/conv2d/conv2d_case.h"

namespace sparsepush {

/// A 3 x 3 layer with padding 1, its weights on 16 bytes as networks' are.
struct Tf32Shape {
  int height, width, channels, out, stride = 1, samples = 1, nodes = 1;
  bool bias = false;
};

inline Conv2dCase case_of(const Tf32Shape& s) {
  Conv2dCase c({s.height, s.width, s.channels, s.out, 3, s.stride, 1, s.samples, s.nodes, s.bias});
  c.layer.precision = Precision::kTf32;
  c.layer.weight = 8;
  if (s.bias) c.layer.bias = 8 + c.weights() + 4;
  c.row = 8 + c.weights() + 4 + s.out + 4;
  c.x = Conv2dCase::values(s.nodes * c.row, 1);
  return c;
}

/// Widths of lines that divide a tile and that do not, lines that end beyond the last image, odd batches and odd
/// images, channels of one and of several blocks on either side, and images of one and three; last, blocks of threads
/// that go from one node to several tiles of the next.
inline std::vector<Tf32Shape> tf32_shapes() {
  return {
      {8, 8, 16, 16, 1, 3, 2}, {8, 8, 16, 16, 1, 10, 1},      {8, 8, 32, 32, 1, 5},          {4, 32, 16, 16, 1, 3},
      {6, 16, 32, 16, 1, 1},   {28, 28, 16, 16, 1, 1},        {14, 14, 16, 48, 1, 3},        {7, 7, 48, 32, 1, 3, 2},
      {2, 2, 64, 128, 1, 1},   {1, 1, 16, 16, 1, 2},          {3, 40, 16, 16, 1, 1},         {8, 8, 16, 32, 2, 3, 2},
      {8, 16, 32, 64, 2, 3},   {16, 32, 16, 32, 2, 1},        {28, 28, 16, 32, 2, 1},        {7, 9, 32, 16, 2, 3, 2},
      {1, 1, 16, 16, 2, 2},    {2, 3, 16, 16, 2, 10},         {6, 8, 16, 32, 1, 3, 2, true}, {32, 32, 3, 16, 1, 1},
      {28, 28, 1, 16, 1, 1},   {8, 8, 3, 48, 1, 10, 2, true}, {7, 9, 1, 16, 1, 3, 2},        {7, 6, 3, 32, 2, 3, 2},
      {1, 1, 3, 16, 1, 2},     {16, 64, 16, 16, 1, 1, 10}};
}

}  // namespace sparsepush
