// Problems without data: f_i(x) = 1/2 sum_j h_ij (x_j - c_ij)^2, one per node, from a safetensors file.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "data/sets/data_sources.h"

namespace sparsepush {

/// What is known of a problem before its arrays are read.
struct QuadraticShape {
  int nodes = 0;
  std::int64_t params = 0;  ///< d
  bool start_per_node = false;
  std::vector<std::int64_t> segments = {};             ///< sizes that sum to params
  std::vector<std::vector<std::int64_t>> shapes = {};  ///< of the segments: their size, or rows and columns
};

/// Unpadded arrays of a quadratic problem file.
struct QuadraticProblem : QuadraticShape {
  std::vector<float> curvature = {};  ///< [nodes, params] h
  std::vector<float> target = {};     ///< [nodes, params] c
  std::vector<float> start = {};      ///< [params] or [nodes, params]
};

/// F32 `curvature` [N, d], `target` [N, d], `start` [d] or [N, d]; optional I64 `segments` [L], default one segment;
/// optional I64 `shapes` [L, 2], rows and columns of each as a matrix. Any other tensor, dtype or shape, N other than
/// `nodes`, or sizes that do not sum to d throw InputError.
QuadraticShape read_quadratic_shape(const std::string& path, int nodes);
QuadraticProblem load_quadratic(const std::string& path, int nodes);

DataSource quadratic_source();

}  // namespace sparsepush
