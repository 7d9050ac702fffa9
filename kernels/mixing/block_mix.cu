#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per element of all nodes' blocks, in strides of the grid; the first of a row takes its weight.
__global__ void cut_block_kernel(CutBlock cut) {
  const std::int64_t due = *cut.blocks.round % cut.blocks.count(), begin = cut.blocks.begin[due],
                     length = cut.blocks.begin[due + 1] - begin;
  const std::int64_t elements = static_cast<std::int64_t>(cut.block.rows) * cut.block.cols;
  for (std::int64_t i = grid_thread(); i < elements; i += grid_threads()) {
    const std::int64_t node = i / cut.block.cols, c = i % cut.block.cols;
    cut.block.data[i] = c < length ? cut.x.row(node)[begin + c] : 0;
    if (c == 0) cut.u[node] = cut.weight.row(node)[due];
  }
  for (std::int64_t i = grid_thread(); i < std::ssize(cut.bytes); i += grid_threads())
    set_block_bytes(cut.blocks, due, cut.bytes[i]);
}

/// The same; in-edges one after the other.
__global__ void mix_block_kernel(MixBlock mix) {
  const std::int64_t due = *mix.blocks.round % mix.blocks.count(), begin = mix.blocks.begin[due],
                     length = mix.blocks.begin[due + 1] - begin;
  const RoundEdges& edges = mix.edges;
  for (std::int64_t i = grid_thread(); i < mix.x.rows * length; i += grid_threads()) {
    const std::int64_t node = i / length, c = i % length;
    const std::int64_t first = edges.begin[node], end = edges.begin[node + 1];
    float* const x = mix.x.row(node) + begin;
    float mixed = __fmaf_rn(edges.self_weight[node], mix.block.row(node)[c], x[c]);
    for (std::int64_t e = first; e < end; ++e)
      mixed = __fmaf_rn(edges.weight[e], mix.block.row(edges.slot[e])[c], mixed);
    x[c] = mixed;
    if (c == 0) {
      double u = __fma_rn(static_cast<double>(edges.self_weight[node]), mix.u[node], mix.u[node]);
      for (std::int64_t e = first; e < end; ++e)
        u = __fma_rn(static_cast<double>(edges.weight[e]), mix.u[edges.slot[e]], u);
      mix.weight.row(node)[due] = u;
    }
  }
}

/// One block of threads per block of a row, in strides of the grid: its factor is computed by each thread once.
__global__ void debias_blocks_kernel(MatrixView<const float> x, MatrixView<const double> weight, RowBlocks blocks,
                                     MatrixView<float> z) {
  for (std::int64_t item = blockIdx.x; item < x.rows * blocks.count(); item += gridDim.x) {
    const std::int64_t node = item / blocks.count(), b = item % blocks.count();
    const float r = debias_factor(weight.row(node)[b]);
    for (std::int64_t c = blocks.begin[b] + threadIdx.x; c < blocks.begin[b + 1]; c += blockDim.x)
      z.row(node)[c] = __fmul_rn(x.row(node)[c], r);
  }
}

}  // namespace

void cut_block(const Cuda& gpu, const CutBlock& cut) {
  check_cut_block_shapes(cut);
  const std::int64_t elements = static_cast<std::int64_t>(cut.block.size());
  launch(gpu, {.blocks = blocks_for(gpu, divide_up(elements, kThreads)), .threads = kThreads}, cut_block_kernel, cut);
}

void mix_block(const Cuda& gpu, const MixBlock& mix) {
  check_mix_block_shapes(mix);
  const std::int64_t most = std::int64_t{mix.x.rows} * mix.block.cols;
  launch(gpu, {.blocks = blocks_for(gpu, divide_up(most, kThreads)), .threads = kThreads}, mix_block_kernel, mix);
}

void debias_blocks(const Cuda& gpu, MatrixView<const float> x, MatrixView<const double> weight, const RowBlocks& blocks,
                   MatrixView<float> z) {
  check_debias_blocks_shapes(x, weight, blocks, z);
  launch(gpu, {.blocks = blocks_for(gpu, x.rows * blocks.count()), .threads = kThreads}, debias_blocks_kernel, x,
         weight, blocks, z);
}

}  // namespace sparsepush
