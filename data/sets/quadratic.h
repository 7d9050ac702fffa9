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
  std::vector<std::vector<std::int64_t>> shapes = {};  ///< shape of each segment: its size, or rows and columns
};

/// Unpadded arrays of a quadratic problem file.
struct QuadraticProblem : QuadraticShape {
  std::vector<float> curvature = {};  ///< [nodes, params] h
  std::vector<float> target = {};     ///< [nodes, params] c
  std::vector<float> start = {};      ///< [params] or [nodes, params]
};

/// Reads what is known from the shapes and sizes in a problem file: F32 `curvature` [N, d], `target` [N, d], `start`
/// [d] or [N, d]; optional I64 `segments` [L], default one segment; optional I64 `shapes` [L, 2], rows and columns of
/// each segment as a matrix. Throws InputError for any other tensor or shape, N other than `nodes`, or sizes that do
/// not sum to d.
QuadraticShape read_quadratic_shape(const std::string& path, int nodes);
/// Reads a problem file as read_quadratic_shape does, and its arrays. Throws InputError for another dtype as well.
QuadraticProblem load_quadratic(const std::string& path, int nodes);

DataSource quadratic_source();

}  // namespace sparsepush
