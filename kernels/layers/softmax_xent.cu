#include <algorithm>
#include <cmath>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/exponential.h"
#include "kernels/layers/softmax_terms.h"
#include "kernels/layers/softmax_xent.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 128;  // a batch of a node has a few hundred logits

/// Some consecutive samples, in shared memory.
struct Tile {
  double exponential[kLogitsAtOnce];  ///< [samples, classes] exp(logit - largest logit of the sample)
  double sum[kLogitsAtOnce];          ///< [samples] of those
  double loss[kLogitsAtOnce];         ///< [samples]
  float largest[kLogitsAtOnce];       ///< [samples]
  bool correct[kLogitsAtOnce];        ///< [samples] of a score
};

/// The samples of a tile and where they stand.
struct TileLogits {
  const float* logits;        ///< [samples, classes]
  const std::int32_t* label;  ///< [samples]
  int samples, classes;
};

/// Fills `tile` but for `correct`. The whole block calls it: threads take logits in turn, and samples in turn for what
/// goes over the classes in order.
__device__ void evaluate(const TileLogits& from, Tile& tile) {
  const int classes = from.classes, elements = from.samples * classes;
  for (int i = threadIdx.x; i < elements; i += kThreads) tile.exponential[i] = from.logits[i];
  __syncthreads();
  for (int s = threadIdx.x; s < from.samples; s += kThreads) {
    const double* logit = tile.exponential + s * classes;
    double largest = logit[0];
    for (int c = 1; c < classes; ++c) largest = std::max(largest, logit[c]);
    tile.largest[s] = static_cast<float>(largest);
  }
  __syncthreads();
  for (int i = threadIdx.x; i < elements; i += kThreads) {
    const int s = i / classes;
    const double difference = tile.exponential[i] - static_cast<double>(tile.largest[s]);
    if (i % classes == from.label[s]) tile.loss[s] = -difference;
    tile.exponential[i] = exp_nonpositive(difference);
  }
  __syncthreads();
  for (int s = threadIdx.x; s < from.samples; s += kThreads) {
    double sum = 0;
    for (int c = 0; c < classes; ++c) sum += tile.exponential[s * classes + c];
    tile.sum[s] = sum;
    tile.loss[s] += std::log(sum);
  }
  __syncthreads();
}

/// Evaluates a node's samples tile by tile, and calls body(from, first row) for each.
template <class Loss, class Body>
__device__ void for_each_tile(const Loss& x, std::int64_t node, int samples, Tile& tile, const Body& body) {
  const int step = samples_at_once(x.logits.cols);
  for (int begin = 0; begin < samples; begin += step) {
    const std::int64_t first = node * samples + begin;
    const TileLogits from{.logits = x.logits.row(first),
                          .label = x.label.data() + first,
                          .samples = std::min(step, samples - begin),
                          .classes = x.logits.cols};
    evaluate(from, tile);
    body(from, first);
  }
}

/// One block per node, in strides of the grid, threads as in `evaluate`; the first one adds up losses in order, which
/// CUB's sums would not keep.
__global__ void softmax_xent_kernel(SoftmaxXent x, int samples) {
  __shared__ Tile tile;
  for (std::int64_t node = blockIdx.x; node < std::ssize(x.loss); node += gridDim.x) {
    double total = 0;
    for_each_tile(x, node, samples, tile, [&](const TileLogits& from, std::int64_t first) {
      float* gradient = x.gradient.row(first);
      for (int i = threadIdx.x; i < from.samples * from.classes; i += kThreads) {
        const int s = i / from.classes;
        const double scale = 1.0 / (tile.sum[s] * samples);
        gradient[i] = softmax_gradient(tile.exponential[i], scale, i % from.classes == from.label[s], samples);
      }
      if (threadIdx.x == 0)
        for (int s = 0; s < from.samples; ++s) total += tile.loss[s];
      // No barrier: the next tile's logits first replace exponentials that nobody but the same thread has read.
    });
    if (threadIdx.x == 0) x.loss[node] += total / samples;
  }
}

/// Mapping as in `softmax_xent_kernel`.
__global__ void score_logits_kernel(ScoreLogits x, int samples) {
  __shared__ Tile tile;
  for (std::int64_t node = blockIdx.x; node < std::ssize(x.loss); node += gridDim.x) {
    double total = x.loss[node];
    std::int64_t correct = x.correct[node];
    for_each_tile(x, node, samples, tile, [&](const TileLogits& from, std::int64_t) {
      for (int s = threadIdx.x; s < from.samples; s += kThreads)
        tile.correct[s] = is_correct(from.logits + s * from.classes, from.classes, from.label[s]);
      __syncthreads();
      if (threadIdx.x == 0) {
        for (int s = 0; s < from.samples; ++s) {
          total += tile.loss[s];
          correct += tile.correct[s];
        }
      }
    });
    if (threadIdx.x == 0) {
      x.loss[node] = total;
      x.correct[node] = correct;
    }
  }
}

LaunchShape block_per_node(const Cuda& gpu, std::size_t nodes) {
  return {.blocks = blocks_for(gpu, static_cast<std::int64_t>(nodes)), .threads = kThreads};
}

}  // namespace

void softmax_xent(const Cuda& gpu, const SoftmaxXent& loss) {
  check_softmax_xent_shapes(loss);
  const std::size_t nodes = loss.loss.size();
  launch(gpu, block_per_node(gpu, nodes), softmax_xent_kernel, loss, loss.logits.rows / static_cast<int>(nodes));
}

void score_logits(const Cuda& gpu, const ScoreLogits& score) {
  check_score_logits_shapes(score);
  const std::size_t nodes = score.loss.size();
  launch(gpu, block_per_node(gpu, nodes), score_logits_kernel, score, score.logits.rows / static_cast<int>(nodes));
}

}  // namespace sparsepush
