// Dense messages of few bits an element: stochastic levels [QSGD], or signs [SignSGD], with a scale a tensor.
#pragma once
#include "kernels/backend/backend.h"
#include "kernels/backend/view.h"
#include "kernels/messages/round_draws.h"
#include "kernels/nodes/cuda_layout.h"

namespace sparsepush {

/// What both ops below work on. Padding stays as it is.
struct Quantize {
  MatrixView<float> v;  ///< [nodes, row] becomes v - q, one subtraction an element
  MatrixView<float> q;  ///< [slots >= nodes, row] written: the first rows are the local nodes'
};

/// How `quantize_to_levels` rounds.
struct Levels {
  int levels = 127;       ///< s >= 1
  bool unbiased = false;  ///< q is v in the mean; else v / (1 + omega), which never adds to v on average
  RoundDraws draws;
};

/// Compresses v to stochastic levels, in q. Per tensor of n elements, norm = (float)sqrt(sum v^2) with the sum in
/// double (element j is added to partial sum j mod 16, these in order), omega = min(n / s^2, sqrt(n) / s) in double, or
/// 0 if unbiased:
///   inverse = (float)(s / (double)norm); step = (float)((double)norm / (s (1 + omega))); both 0 below norm = 2^-100.
/// Per element, in fp32: y = |v| inverse; f = floor(y); level = min(f + (U < y - f), s); q = copysign(level step, v).
/// U = (word >> 8) 2^-24, word p mod 4 of random_bits at index p / 4 for the padded position p. Backends agree exactly
/// (NaN payloads aside, here and below).
void quantize_to_levels(const Cpu& cpu, const RowLayout& layout, const Quantize& quantize, const Levels& levels);
void quantize_to_levels(const Cuda& gpu, const CudaLayout& layout, const Quantize& quantize, const Levels& levels);

/// Compresses v to signs, in q. Per tensor of n elements, scale = (float)(sum |v| / n) with the sum as above; q =
/// copysign(scale, v). Zeros go by their sign. Backends agree exactly.
void quantize_to_signs(const Cpu& cpu, const RowLayout& layout, const Quantize& quantize);
void quantize_to_signs(const Cuda& gpu, const CudaLayout& layout, const Quantize& quantize);

/// Checks the shapes above.
void check_quantize_shapes(const RowLayout& layout, const Quantize& quantize);
/// Checks that there is a level, a round, and a seed for every replica of v's rows.
void check_levels(const Quantize& quantize, const Levels& levels);

}  // namespace sparsepush
