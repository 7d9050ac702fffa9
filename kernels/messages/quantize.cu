#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/ordered_sum.h"
#include "kernels/backend/quad.h"
#include "kernels/messages/quantize.h"
#include "kernels/messages/quantize_terms.h"
#include "kernels/nodes/statistics.h"

namespace sparsepush {
namespace {

/// One block per tensor of a node, in strides of the grid: its sum in the fixed order, then threads take 4 neighbouring
/// elements in turn.
template <class Rule>
__global__ void quantize_kernel(Quantize quantize, std::span<const Segment> segments, Rule rule) {
  const std::int64_t tensors = std::ssize(segments), items = quantize.v.rows * tensors;
  for (std::int64_t item = blockIdx.x; item < items; item += gridDim.x) {
    const std::int64_t row = item / tensors;
    const Segment segment = segments[item % tensors];
    float* const v = quantize.v.row(row) + segment.begin;
    float* const q = quantize.q.row(row) + segment.begin;
    const double sum =
        ordered_sum_for_all<kStatisticsLanes>(segment.size, [&](std::int64_t i) { return Rule::term(v[i]); });
    const auto tensor = rule.tensor(row, segment, sum);
    for (std::int64_t quad = threadIdx.x; quad < divide_up(segment.size, 4); quad += blockDim.x) {
      const auto words = tensor.words(quad);
      Quad rest = load_quad(v, quad), sent = load_quad(q, quad);
      for_each_lane(static_cast<int>(std::min<std::int64_t>(4, segment.size - 4 * quad)), [&](int lane) {
        sent.lane[lane] = tensor.quantized(rest.lane[lane], words[lane]);
        rest.lane[lane] -= sent.lane[lane];
      });
      store_quad(sent, q, quad);
      store_quad(rest, v, quad);
    }
  }
}

template <class Rule>
void quantize_rows(const Cuda& gpu, const CudaLayout& layout, const Quantize& quantize, const Rule& rule) {
  const std::int64_t items = quantize.v.rows * std::ssize(layout.segments());
  if (items == 0) return;
  launch(gpu, ordered_sum_shape(gpu, items), quantize_kernel<Rule>, quantize, layout.segments(), rule);
}

}  // namespace

void quantize_to_levels(const Cuda& gpu, const CudaLayout& layout, const Quantize& quantize, const Levels& levels) {
  check_quantize_shapes(layout.host(), quantize);
  check_levels(quantize, levels);
  quantize_rows(gpu, layout, quantize, ToLevels{levels, quantize.v.rows});
}

void quantize_to_signs(const Cuda& gpu, const CudaLayout& layout, const Quantize& quantize) {
  check_quantize_shapes(layout.host(), quantize);
  quantize_rows(gpu, layout, quantize, ToSigns{});
}

}  // namespace sparsepush
