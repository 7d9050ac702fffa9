#include "kernels/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/buffer.h"

namespace sparsepush {
namespace {

struct Rows {
  std::vector<float> x;  ///< [nodes, row]
  std::vector<double> u, center;
  int nodes, row;
};

Rows random_rows(int nodes, int row) {
  std::mt19937 generator(nodes * 1000 + row);
  std::normal_distribution<float> normal;
  Rows rows{{}, {}, {}, nodes, row};
  for (int i = 0; i < nodes * row; ++i) rows.x.push_back(normal(generator));
  for (int i = 0; i < nodes; ++i) rows.u.push_back(1.0 + 0.1 * i);
  for (int c = 0; c < row; ++c) rows.center.push_back(normal(generator));
  return rows;
}

const int kRowSizes[] = {1, 4, 15, 16, 17, 33, 2047, 2048, 2049, 5000};

TEST(AddRows, AddsRowsInOrderToWhatIsThere) {
  for (const int row : kRowSizes) {
    const Rows rows = random_rows(7, row);
    std::vector<double> wanted(row, 0.5);
    for (int i = 0; i < 7; ++i) {
      for (int c = 0; c < row; ++c) wanted[c] += double{rows.x[i * row + c]};
    }
    for (const int threads : {1, 3}) {
      const Cpu cpu(threads);
      const Buffer<Cpu, float> x(cpu, 7, row, rows.x);
      std::vector<double> whole(row, 0.5), parts(row, 0.5);
      add_rows(cpu, x.view(), whole);
      EXPECT_EQ(whole, wanted) << row;
      add_rows(cpu, x.view().rows_from(0, 3), parts);
      add_rows(cpu, x.view().rows_from(3, 4), parts);
      EXPECT_EQ(parts, wanted) << row;
    }
  }
}

TEST(SquaredDistances, AgreeWithADirectSumToRounding) {
  for (const int row : kRowSizes) {
    const Rows rows = random_rows(5, row);
    const Cpu cpu(2);
    const Buffer<Cpu, float> x(cpu, 5, row, rows.x);
    std::vector<double> distance(5, -1), norm(5, -1);
    squared_distances(cpu, x.view(), rows.u, rows.center, distance);
    squared_norms(cpu, x.view(), norm);
    for (int i = 0; i < 5; ++i) {
      long double wanted = 0, wanted_norm = 0;
      for (int c = 0; c < row; ++c) {
        const long double value = rows.x[i * row + c];
        wanted += std::pow(value / rows.u[i] - rows.center[c], 2.0L);
        wanted_norm += value * value;
      }
      EXPECT_NEAR(distance[i], static_cast<double>(wanted), 1e-14 * row * static_cast<double>(wanted)) << row;
      EXPECT_NEAR(norm[i], static_cast<double>(wanted_norm), 1e-14 * row * static_cast<double>(wanted_norm)) << row;
    }
  }
}

TEST(SquaredDistances, HaveTheSameBitsForAnyThreadsAndRows) {
  const Rows rows = random_rows(6, 1037);
  const auto distances = [&](int threads, int nodes) {
    const Cpu cpu(threads);
    const Buffer<Cpu, float> x(cpu, 6, 1037, rows.x);
    std::vector<double> distance(nodes);
    squared_distances(cpu, x.view().rows_from(0, nodes), std::span(rows.u).first(nodes), rows.center, distance);
    return distance;
  };
  const std::vector<double> all = distances(1, 6);
  EXPECT_EQ(distances(4, 6), all);
  EXPECT_EQ(distances(2, 2), std::vector<double>(all.begin(), all.begin() + 2));
}

TEST(Statistics, RefuseShapesThatDoNotFit) {
  const Cpu cpu(1);
  const Buffer<Cpu, float> x(cpu, 2, 4);
  std::vector<double> two(2), three(3), four(4);
  EXPECT_THROW(add_rows(cpu, x.view(), three), std::invalid_argument);
  EXPECT_THROW(squared_norms(cpu, x.view(), three), std::invalid_argument);
  EXPECT_THROW(squared_distances(cpu, x.view(), three, four, two), std::invalid_argument);
  EXPECT_THROW(squared_distances(cpu, x.view(), two, three, two), std::invalid_argument);
  EXPECT_THROW(squared_distances(cpu, x.view(), two, four, three), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
