// How far nodes have gone from where they last were alike: what Federated Dynamic Averaging ([FDA]) watches.
#pragma once
#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/nodes/cuda_layout.h"
#include "kernels/nodes/due.h"

namespace sparsepush {

/// Arguments of `measure_drift`. Rows are replica-major.
struct MeasureDrift {
  MatrixView<const float> x;          ///< [nodes, row] parameters
  MatrixView<const float> reference;  ///< [replicas, row] parameters at the last sync
  MatrixView<const float> heading;    ///< [replicas, row] unit vector of that sync's move, xi of [FDA]
  MatrixView<float> drift;            ///< [nodes, 2] written
};

/// Measures how far nodes are from a reference. With d = x_i - reference, one fp32 subtraction an element: drift_i =
/// ((float)sum d_j^2, (float)sum heading_j d_j). Products and sums are in double; element j, padding not counted, is
/// added to partial sum j mod 16, and these are added up in order. Backends agree exactly (NaN payloads aside, here and
/// below).
void measure_drift(const Cpu& cpu, const RowLayout& layout, const MeasureDrift& measure);
void measure_drift(const Cuda& gpu, const CudaLayout& layout, const MeasureDrift& measure);

/// Checks the shapes above.
void check_measure_drift_shapes(const RowLayout& layout, const MeasureDrift& measure);

/// Arguments of `move_reference`. Rows are replica-major.
struct MoveReference {
  MatrixView<const float> x;             ///< [nodes, row] alike within a replica
  MatrixView<float> reference, heading;  ///< [replicas, row] as above
  Due due;
};

/// Moves the reference. In every replica that is due, with d = x - reference of its first node, one fp32 subtraction an
/// element:
///   heading = (float)(d / |d|), or +0 if |d| = 0; reference = x
/// |d| is the correctly rounded root of a sum as above, the quotient is in double. Backends agree exactly.
void move_reference(const Cpu& cpu, const RowLayout& layout, const MoveReference& move);
void move_reference(const Cuda& gpu, const CudaLayout& layout, const MoveReference& move);

/// Checks the shapes above.
void check_move_reference_shapes(const RowLayout& layout, const MoveReference& move);

/// The partial sums of both.
constexpr int kDriftLanes = 16;

/// Returns one element of a heading.
constexpr float heading_of(float difference, double norm) {
  return norm > 0 ? static_cast<float>(difference / norm) : 0.0f;
}

}  // namespace sparsepush
