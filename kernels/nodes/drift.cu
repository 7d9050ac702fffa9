#include <cmath>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/ordered_sum.h"
#include "kernels/nodes/drift.h"
#include "kernels/nodes/unpadded_index.h"

namespace sparsepush {
namespace {

/// One block per row, in strides of the grid. The terms of both sums come 16 by 16 in turn, so that one pass over the
/// row serves both: the first 16 partial sums are those of squares.
__global__ void measure_drift_kernel(MeasureDrift measure, std::span<const Padding> paddings, std::int64_t params) {
  constexpr int kBoth = 2 * kDriftLanes;
  const std::int64_t nodes = measure.x.rows / measure.reference.rows;
  for (std::int64_t i = blockIdx.x; i < measure.x.rows; i += gridDim.x) {
    const float *x = measure.x.row(i), *reference = measure.reference.row(i / nodes),
                *heading = measure.heading.row(i / nodes);
    const double lane = partial_sum<kBoth>(divide_up(params, kDriftLanes) * kBoth, [&](std::int64_t k) {
      const std::int64_t j = k / kBoth * kDriftLanes + k % kDriftLanes;
      if (j >= params) return 0.0;
      const std::int64_t c = padded_index(paddings, j);
      const auto d = static_cast<double>(x[c] - reference[c]);
      return d * (k % kBoth < kDriftLanes ? d : static_cast<double>(heading[c]));
    });
    double squares = 0, along = 0;
    for (int l = 0; l < kDriftLanes; ++l) {
      squares += __shfl_sync(~0u, lane, l);
      along += __shfl_sync(~0u, lane, l + kDriftLanes);
    }
    if (threadIdx.x == 0) measure.drift.row(i)[0] = static_cast<float>(squares);
    if (threadIdx.x == 0) measure.drift.row(i)[1] = static_cast<float>(along);
  }
}

/// One block per replica, in strides of the grid: after a sum in a fixed order, more blocks would gain little.
__global__ void move_reference_kernel(MoveReference move, std::span<const Padding> paddings, std::int64_t params) {
  const std::int64_t nodes = move.x.rows / move.reference.rows;
  for (std::int64_t r = blockIdx.x; r < move.reference.rows; r += gridDim.x) {
    if (!is_due(move.due, r)) continue;  // the whole block
    const float* x = move.x.row(r * nodes);
    float *reference = move.reference.row(r), *heading = move.heading.row(r);
    const double norm = std::sqrt(ordered_sum_for_all<kDriftLanes>(params, [&](std::int64_t j) {
      const std::int64_t c = padded_index(paddings, j);
      const auto d = static_cast<double>(x[c] - reference[c]);
      return d * d;
    }));
    for (std::int64_t c = threadIdx.x; c < move.x.cols; c += blockDim.x) {
      heading[c] = heading_of(x[c] - reference[c], norm);
      reference[c] = x[c];
    }
  }
}

}  // namespace

void measure_drift(const Cuda& gpu, const CudaLayout& layout, const MeasureDrift& measure) {
  check_measure_drift_shapes(layout.host(), measure);
  if (measure.x.rows == 0) return;
  launch(gpu, ordered_sum_shape(gpu, measure.x.rows), measure_drift_kernel, measure, layout.paddings(),
         layout.host().params);
}

void move_reference(const Cuda& gpu, const CudaLayout& layout, const MoveReference& move) {
  check_move_reference_shapes(layout.host(), move);
  if (move.x.rows == 0) return;
  launch(gpu, ordered_sum_shape(gpu, move.reference.rows), move_reference_kernel, move, layout.paddings(),
         layout.host().params);
}

}  // namespace sparsepush
