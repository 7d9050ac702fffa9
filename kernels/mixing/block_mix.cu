#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/nodes/debias.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// One thread per element of all nodes' blocks, in strides of the grid; the first of a row takes its weight.
__global__ void cut_block_kernel(CutBlock cut) {
  const auto [due, begin, length] = due_block(cut.blocks);
  const std::int64_t elements = static_cast<std::int64_t>(cut.block.rows) * cut.block.cols;
  for (std::int64_t i = grid_thread(); i < elements; i += grid_threads()) {
    const std::int64_t node = i / cut.block.cols, c = i % cut.block.cols;
    cut.block.data[i] = c < length ? cut.x.row(node)[begin + c] : 0;
    if (c == 0) cut.u[node] = cut.weight.row(node)[due];
  }
  for (std::int64_t i = grid_thread(); i < std::ssize(cut.bytes); i += grid_threads())
    set_block_bytes(cut.blocks, due, cut.bytes[i]);
}

/// One thread per element of the due blocks, in strides of the grid: in-edges one after the other. The first of a row
/// mixes its weight.
__global__ void mix_block_kernel(MixBlock mix) {
  const auto [due, begin, length] = due_block(mix.blocks);
  const RoundEdges& edges = mix.edges;
  for (std::int64_t i = grid_thread(); i < mix.x.rows * length; i += grid_threads()) {
    const std::int64_t node = i / length, c = i % length;
    if (!is_mixed(edges, mix.mixed, node)) continue;
    float* const x = mix.x.row(node) + begin;
    float mixed = __fmaf_rn(edges.self_weight[node], mix.block.row(node)[c], x[c]);
    for (std::int64_t e = edges.begin[node], end = edges.begin[node + 1]; e < end; ++e)
      mixed = __fmaf_rn(edges.weight[e], mix.block.row(edges.slot[e])[c], mixed);
    x[c] = mixed;
    if (c == 0) mix.weight.row(node)[due] = mixed_weight(edges, node, mix.u);
  }
}

/// One block of threads per block of a row, in strides of the grid: its factor is computed by each thread once.
__global__ void debias_blocks_kernel(MatrixView<const float> x, MatrixView<const double> weight, ModelBlocks blocks,
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
  launch(gpu, thread_each(gpu, elements, kThreads), cut_block_kernel, cut);
}

void mix_block(const Cuda& gpu, const MixBlock& mix) {
  check_mix_block_shapes(mix);
  const std::int64_t most = std::int64_t{mix.x.rows} * mix.block.cols;
  launch(gpu, thread_each(gpu, most, kThreads), mix_block_kernel, mix);
}

void debias_blocks(const Cuda& gpu, MatrixView<const float> x, MatrixView<const double> weight,
                   const ModelBlocks& blocks, MatrixView<float> z) {
  check_debias_blocks_shapes(x, weight, blocks, z);
  launch(gpu, {.blocks = blocks_for(gpu, x.rows * blocks.count()), .threads = kThreads}, debias_blocks_kernel, x,
         weight, blocks, z);
}

}  // namespace sparsepush
