#include "kernels/nodes/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/same_values.h"

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

/// Around warps, blocks, what a worker keeps in cache and what a GPU's block adds up at once.
const int kRowSizes[] = {1, 4, 15, 16, 17, 31, 32, 33, 255, 256, 257, 1023, 1024, 1025, 2047, 2048, 2049, 5000};

/// Sum of squares in the order of the contract.
double squared_sum(const std::vector<double>& terms) {
  double lanes[16] = {}, sum = 0;
  for (std::size_t c = 0; c < terms.size(); ++c) lanes[c % 16] += terms[c] * terms[c];
  for (const double lane : lanes) sum += lane;
  return sum;
}

struct Measures {
  std::vector<double> sums, distance, norm;
};

/// As the contract defines them; sums start at 0.5.
Measures expected_measures(const Rows& rows) {
  Measures m{std::vector<double>(rows.row, 0.5), {}, {}};
  for (int i = 0; i < rows.nodes; ++i) {
    std::vector<double> difference, value;
    for (int c = 0; c < rows.row; ++c) {
      value.push_back(rows.x[i * rows.row + c]);
      difference.push_back(value[c] / rows.u[i] - rows.center[c]);
      m.sums[c] += value[c];
    }
    m.distance.push_back(squared_sum(difference));
    m.norm.push_back(squared_sum(value));
  }
  return m;
}

template <class Backend>
Measures measures(const Backend& backend, const Rows& rows) {
  const Buffer<Backend, float> x(backend, rows.nodes, rows.row, rows.x);
  const Buffer<Backend, double> u(backend, rows.u);
  Measures m{std::vector<double>(rows.row, 0.5), std::vector<double>(rows.nodes, -1),
             std::vector<double>(rows.nodes, -1)};
  const int half = rows.nodes / 2;
  add_rows(backend, x.view().rows_from(0, half), 0, m.sums);
  const std::size_t some = rows.row / 3;  // columns of the others come in two parts
  const auto rest = x.view().rows_from(half, rows.nodes - half);
  add_rows(backend, rest, 0, std::span(m.sums).first(some));
  add_rows(backend, rest, static_cast<std::int64_t>(some), std::span(m.sums).subspan(some));
  squared_distances(backend, x.view(), u.span(), rows.center, m.distance);
  squared_norms(backend, x.view(), m.norm);
  return m;
}

template <class Backend>
void expect_measures(const Rows& rows) {
  const Measures wanted = expected_measures(rows);
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const Measures m = measures(backend, rows);
    EXPECT_TRUE(same_values(m.sums, wanted.sums)) << rows.nodes << " rows of " << rows.row;
    EXPECT_TRUE(same_values(m.distance, wanted.distance)) << rows.nodes << " rows of " << rows.row;
    EXPECT_TRUE(same_values(m.norm, wanted.norm)) << rows.nodes << " rows of " << rows.row;
  });
}

template <class Backend>
class StatisticsOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(StatisticsOn, Backends);

TYPED_TEST(StatisticsOn, AreTheContractBitForBit) {
  for (const int row : kRowSizes) expect_measures<TypeParam>(random_rows(3, row));
  expect_measures<TypeParam>(random_rows(1, 100));
  for (const int row : {300, 1040}) expect_measures<TypeParam>(random_rows(70, row));
}

TYPED_TEST(StatisticsOn, HardValuesStayWhatTheyAre) {
  Rows rows = random_rows(8, 50);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float hard[] = {0.0f, -0.0f, 1e-45f, -1e-40f, 3e38f, kInfinity, -kInfinity, std::nanf("")};
  for (int i = 0; i < 8; ++i) rows.x[i * 50 + 3 * i] = hard[i];
  rows.u[2] = 1e-300;
  expect_measures<TypeParam>(rows);
}

TEST(SquaredDistances, AgreeWithADirectSumToRounding) {
  for (const int row : kRowSizes) {
    const Rows rows = random_rows(5, row);
    const Measures m = measures(tested_cpu(2), rows);
    for (int i = 0; i < 5; ++i) {
      long double wanted = 0, wanted_norm = 0;
      for (int c = 0; c < row; ++c) {
        const long double value = rows.x[i * row + c];
        wanted += std::pow(value / rows.u[i] - rows.center[c], 2.0L);
        wanted_norm += value * value;
      }
      EXPECT_NEAR(m.distance[i], static_cast<double>(wanted), 1e-14 * row * static_cast<double>(wanted)) << row;
      EXPECT_NEAR(m.norm[i], static_cast<double>(wanted_norm), 1e-14 * row * static_cast<double>(wanted_norm)) << row;
    }
  }
}

TEST(Statistics, RefuseShapesThatDoNotFit) {
  const Cpu cpu = tested_cpu(1);
  const Buffer<Cpu, float> x(cpu, 2, 4);
  std::vector<double> two(2), three(3), four(4);
  EXPECT_THROW(add_rows(cpu, x.view(), 2, three), std::invalid_argument);
  EXPECT_THROW(add_rows(cpu, x.view(), -1, three), std::invalid_argument);
  EXPECT_THROW(squared_norms(cpu, x.view(), three), std::invalid_argument);
  EXPECT_THROW(squared_distances(cpu, x.view(), three, four, two), std::invalid_argument);
  EXPECT_THROW(squared_distances(cpu, x.view(), two, three, two), std::invalid_argument);
  EXPECT_THROW(squared_distances(cpu, x.view(), two, four, three), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
