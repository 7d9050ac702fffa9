#include "kernels/nodes/drift.h"

#include <array>
#include <cmath>

#include "kernels/backend/check.h"
#include "kernels/backend/multiversion.h"

namespace sparsepush {
namespace {

using Lanes = std::array<double, kDriftLanes>;

double ordered_sum(const Lanes& lanes) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// Calls add(column, lane) for every element of a row, in order.
template <class Add>
[[gnu::always_inline]] inline void for_each_element(const RowLayout& layout, const Add& add) {
  for (const Segment& s : layout.segments) {
    const std::int64_t first = s.packed_begin % kDriftLanes, end = s.begin + s.size;
    std::int64_t c = s.begin;
    for (std::int64_t lane = first; lane % kDriftLanes != 0 && c < end; ++lane, ++c) add(c, lane);
    for (; c + kDriftLanes <= end; c += kDriftLanes)
      for (int lane = 0; lane < kDriftLanes; ++lane) add(c + lane, lane);
    for (int lane = 0; c < end; ++lane, ++c) add(c, lane);
  }
}

double squared_distance(const RowLayout& layout, const float* a, const float* b) {
  Lanes squares{};
  for_each_element(
      layout, [&](std::int64_t c, std::int64_t lane) __attribute__((always_inline)) {
        const double d = a[c] - b[c];
        squares[lane] += d * d;
      });
  return ordered_sum(squares);
}

}  // namespace

void check_measure_drift_shapes(const RowLayout& layout, const MeasureDrift& measure) {
  const auto& [x, reference, heading, drift] = measure;
  CHECK(x.cols == layout.row && reference.cols == layout.row && heading.cols == layout.row, "x ", x, ", reference ",
        reference, ", heading ", heading, ", row ", layout.row);
  CHECK(reference.rows > 0 && heading.rows == reference.rows && x.rows % reference.rows == 0, "x ", x, ", reference ",
        reference, ", heading ", heading);
  CHECK(drift.rows == x.rows && drift.cols == 2, "drift ", drift, ", x ", x);
}

void measure_drift(const Cpu& cpu, const RowLayout& layout, const MeasureDrift& measure) {
  check_measure_drift_shapes(layout, measure);
  const int nodes = measure.x.rows / measure.reference.rows;
  cpu.pool().run(measure.x.rows, [&](std::int64_t i, int) {
    const float *x = measure.x.row(i), *reference = measure.reference.row(i / nodes),
                *heading = measure.heading.row(i / nodes);
    Lanes squares{}, along{};
    run_vectorized(
        cpu.vector_level(), [&]() __attribute__((always_inline)) {
          for_each_element(
              layout, [&](std::int64_t c, std::int64_t lane) __attribute__((always_inline)) {
                const double d = x[c] - reference[c];
                squares[lane] += d * d;
                along[lane] += static_cast<double>(heading[c]) * d;
              });
        });
    float* drift = measure.drift.row(i);
    drift[0] = static_cast<float>(ordered_sum(squares));
    drift[1] = static_cast<float>(ordered_sum(along));
  });
}

void check_move_reference_shapes(const RowLayout& layout, const MoveReference& move) {
  const auto& [x, reference, heading, due] = move;
  CHECK(x.cols == layout.row && reference.cols == layout.row && heading.cols == layout.row, "x ", x, ", reference ",
        reference, ", heading ", heading, ", row ", layout.row);
  CHECK(reference.rows > 0 && heading.rows == reference.rows && x.rows % reference.rows == 0, "x ", x, ", reference ",
        reference, ", heading ", heading);
  CHECK(due.empty() || due.size() == static_cast<std::size_t>(reference.rows), "due [", due.size(), "], reference ",
        reference);
}

void move_reference(const Cpu& cpu, const RowLayout& layout, const MoveReference& move) {
  check_move_reference_shapes(layout, move);
  const int nodes = move.x.rows / move.reference.rows;
  if (nodes == 0) return;
  cpu.pool().run(move.reference.rows, [&](std::int64_t r, int) {
    if (!is_due(move.due, r)) return;
    const float* x = move.x.row(r * nodes);
    float *reference = move.reference.row(r), *heading = move.heading.row(r);
    const double norm = std::sqrt(squared_distance(layout, x, reference));
    for (std::int64_t c = 0; c < move.x.cols; ++c) {
      heading[c] = heading_of(x[c] - reference[c], norm);
      reference[c] = x[c];
    }
  });
}

}  // namespace sparsepush
