#include "kernels/nodes/drift.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/random_values.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

/// Rows of a layout, padding 0.
std::vector<float> random_rows(int rows, const RowLayout& layout, std::mt19937& generator) {
  std::vector<float> values(rows * layout.row), packed(layout.params);
  for (int i = 0; i < rows; ++i) {
    packed = random_values(packed.size(), generator);
    unpack_row(layout, packed.data(), &values[i * layout.row]);
  }
  return values;
}

/// Sum over the elements without padding of term(position), in the order of the contract.
template <class Term>
double ordered_sum(const RowLayout& layout, const Term& term) {
  double lanes[16] = {}, sum = 0;
  std::int64_t j = 0;
  for (const Segment& s : layout.segments)
    for (std::int64_t c = s.begin; c < s.begin + s.size; ++c) lanes[j++ % 16] += term(c);
  for (const double lane : lanes) sum += lane;
  return sum;
}

struct Case {
  int replicas, nodes;
  std::vector<std::int64_t> sizes;
};

/// Padding that shifts partial sums, around lanes and what a GPU's block adds up at once; more replicas than blocks.
std::vector<Case> cases() {
  return {{1, 1, {1}},        {2, 3, {15}},         {1, 2, {16, 17}}, {3, 2, {1, 33, 2, 5, 30}},
          {1, 3, {511, 513}}, {2, 2, {1023, 1026}}, {1, 5, {257, 3}}, {60, 1, {5}}};
}

/// What a replica has, and what the op is to make of it.
struct Arrays {
  Arrays(const Case& c, unsigned seed) : layout(make_row_layout(c.sizes)) {
    std::mt19937 generator(seed);
    x = random_rows(c.replicas * c.nodes, layout, generator);
    reference = random_rows(c.replicas, layout, generator);
    heading = random_rows(c.replicas, layout, generator);
  }
  RowLayout layout;
  std::vector<float> x, reference, heading;
};

template <class Backend>
class DriftOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(DriftOn, Backends);

template <class Backend>
void expect_drift(const Case& c, const Arrays& a) {
  const int rows = c.replicas * c.nodes;
  const auto row = static_cast<int>(a.layout.row);
  std::vector<float> wanted;
  for (int i = 0; i < rows; ++i) {
    const float *x = &a.x[i * row], *reference = &a.reference[i / c.nodes * row],
                *heading = &a.heading[i / c.nodes * row];
    const auto d = [&](std::int64_t at) { return static_cast<double>(x[at] - reference[at]); };
    wanted.push_back(static_cast<float>(ordered_sum(a.layout, [&](std::int64_t at) { return d(at) * d(at); })));
    wanted.push_back(static_cast<float>(ordered_sum(a.layout, [&](std::int64_t at) { return heading[at] * d(at); })));
  }
  for_each_way_to_run<Backend>([&](const Backend& backend) {
    const Buffer<Backend, float> x(backend, rows, row, a.x), reference(backend, c.replicas, row, a.reference),
        heading(backend, c.replicas, row, a.heading), drift(backend, rows, 2);
    measure_drift(backend, layout_on(backend, a.layout),
                  {.x = x.view(), .reference = reference.view(), .heading = heading.view(), .drift = drift.view()});
    EXPECT_TRUE(same_values(drift.to_host(), wanted)) << c.replicas << " x " << c.nodes << " x " << a.layout.params;
  });
}

TYPED_TEST(DriftOn, IsSummedAsTheContractSays) {
  unsigned seed = 0;
  for (const Case& c : cases()) {
    Arrays a(c, ++seed);
    for (std::size_t i = 0; i < a.x.size(); i += 5) a.x[i] *= a.x[i] == 0 ? 1.0f : 1e7f;  // so that the order shows
    expect_drift<TypeParam>(c, a);
  }
}

TYPED_TEST(DriftOn, HardValuesStayWhatTheyAre) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const Case c{1, 5, {3, 40}};
  Arrays a(c, 7);
  const float hard[] = {kInfinity, std::nanf(""), 3e38f, 1e-45f, -0.0f};
  for (int i = 0; i < 5; ++i) a.x[i * a.layout.row + 8 + i] = hard[i];
  expect_drift<TypeParam>(c, a);
}

TYPED_TEST(DriftOn, MovesTheReferencesOfReplicasThatAreDue) {
  unsigned seed = 20;
  for (const Case& c : cases()) {
    const Arrays a(c, ++seed);
    const auto row = static_cast<int>(a.layout.row);
    for (const bool all : {true, false}) {
      std::vector<std::int32_t> due;
      for (int r = 0; r < c.replicas && !all; ++r) due.push_back((r + 1) % 2 * 3);
      std::vector<float> reference = a.reference, heading = a.heading;
      for (int r = 0; r < c.replicas; ++r) {
        if (!all && due[r] == 0) continue;
        const float* x = &a.x[r * c.nodes * row];
        const auto d = [&](std::int64_t at) { return x[at] - a.reference[r * row + at]; };
        const double norm =
            std::sqrt(ordered_sum(a.layout, [&](std::int64_t at) { return static_cast<double>(d(at)) * d(at); }));
        for (int at = 0; at < row; ++at) {
          heading[r * row + at] = static_cast<float>(d(at) / norm);
          reference[r * row + at] = x[at];
        }
      }
      for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
        const Buffer<TypeParam, float> x(backend, c.replicas * c.nodes, row, a.x),
            there(backend, c.replicas, row, a.reference), direction(backend, c.replicas, row, a.heading);
        const Buffer<TypeParam, std::int32_t> flags(backend, due);
        move_reference(backend, layout_on(backend, a.layout),
                       {.x = x.view(), .reference = there.view(), .heading = direction.view(), .due = flags.span()});
        EXPECT_TRUE(same_values(there.to_host(), reference)) << c.replicas << " x " << a.layout.params;
        EXPECT_TRUE(same_values(direction.to_host(), heading)) << c.replicas << " x " << a.layout.params;
      });
    }
  }
}

TYPED_TEST(DriftOn, ThereIsNoHeadingWithoutAMove) {
  const Arrays a({1, 1, {5}}, 3);
  const auto row = static_cast<int>(a.layout.row);
  for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
    const Buffer<TypeParam, float> x(backend, 1, row, a.x), reference(backend, 1, row, a.x),
        heading(backend, 1, row, a.heading);
    move_reference(backend, layout_on(backend, a.layout),
                   {.x = x.view(), .reference = reference.view(), .heading = heading.view(), .due = {}});
    EXPECT_TRUE(same_values(heading.to_host(), std::vector<float>(row)));
  });
}

TEST(Drift, RefusesRowsOfOtherShapes) {
  const Cpu cpu = tested_cpu(1);
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{5});
  const Buffer<Cpu, float> x(cpu, 4, 8), two(cpu, 2, 8), three(cpu, 3, 8), narrow(cpu, 2, 4), none(cpu, 0, 8);
  const Buffer<Cpu, float> drift(cpu, 4, 2), few(cpu, 3, 2);
  const std::vector<std::int32_t> due(3);
  const auto measure = [&](auto& of, auto& reference, auto& heading, auto& to) {
    measure_drift(cpu, layout,
                  {.x = of.view(), .reference = reference.view(), .heading = heading.view(), .drift = to.view()});
  };
  EXPECT_NO_THROW(measure(x, two, two, drift));
  EXPECT_THROW(measure(x, three, three, drift), std::invalid_argument);
  EXPECT_THROW(measure(x, two, three, drift), std::invalid_argument);
  EXPECT_THROW(measure(x, narrow, two, drift), std::invalid_argument);
  EXPECT_THROW(measure(x, two, narrow, drift), std::invalid_argument);
  EXPECT_THROW(measure(x, none, none, drift), std::invalid_argument);
  EXPECT_THROW(measure(x, two, two, few), std::invalid_argument);
  EXPECT_THROW(measure(x, two, two, two), std::invalid_argument);
  const auto move = [&](auto& of, auto& reference, auto& heading, Due flags) {
    move_reference(cpu, layout,
                   {.x = of.view(), .reference = reference.view(), .heading = heading.view(), .due = flags});
  };
  EXPECT_NO_THROW(move(x, two, two, {}));
  EXPECT_THROW(move(x, two, two, due), std::invalid_argument);
  EXPECT_THROW(move(x, three, three, due), std::invalid_argument);
  EXPECT_THROW(move(x, two, narrow, {}), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
