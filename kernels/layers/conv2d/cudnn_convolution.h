// Convolutions by cuDNN: what Conv2d<Cuda> is compared with on a GPU, by tests and by benchmarks.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// Says why this program cannot use cuDNN; empty if it can, on a GPU that works.
std::string cudnn_problem();
/// Returns the version of the library that it uses, such as 9.19.0; empty where there is a cudnn_problem().
std::string cudnn_version();

/// A handle of cuDNN, and memory for its calls to work in, which follow one another on the stream of this GPU.
class CudnnRoom {
 public:
  /// Throws std::runtime_error if there is a cudnn_problem().
  explicit CudnnRoom(const Cuda& gpu);
  ~CudnnRoom();

 private:
  friend class CudnnConvolution;
  struct State;
  std::unique_ptr<State> state_;
};

/// What a layer works in.
struct CudnnMemory {
  CudnnMemory(const Conv2dLayer& layer, int samples);

  /// Counts what it has of its own.
  std::int64_t bytes(int nodes) const {
    return static_cast<std::int64_t>(sizeof(float)) * (nodes * filter + input_copy + output_copy);
  }

  std::int64_t filter;                   ///< floats of a node's weights, rounded up to 16 bytes
  std::int64_t input_copy, output_copy;  ///< floats of a node's images, 0 where those of all nodes are on 16 bytes
  /// Bytes of the room. It holds a node's images and weights in another order twice, partial sums of 14 parts of the
  /// weights' gradient, and what is small. What cuDNN wants is known when it is asked on a GPU; more is refused.
  std::int64_t most_workspace;
};

/// `layer` by cuDNN 9: a call for each node, and before or behind these a launch for all nodes, which brings weights
/// into cuDNN's order, de-biased, or their gradient into that of rows, and adds biases. Algorithms are deterministic
/// ones, the same for all numbers of nodes, in fp32 without tensor cores, but in TF32 for 3 x 3 kernels where the layer
/// asks for that: then a sum of n terms is within 2^-9 + (n + 3) 2^-22 of what their magnitudes add up to, as it is not
/// said whether operands are rounded or cut off. Nothing is fused with what is before or behind the layer.
///
/// Arrays of images begin on 16 bytes; nodes whose images do not are copied first. Throws std::runtime_error, which
/// names the layer, where cuDNN cannot compute it or wants more than CudnnMemory.
class CudnnConvolution {
 public:
  /// Calls are of at most so many nodes and samples, and on the stream of this GPU. `room` outlives it.
  CudnnConvolution(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples, CudnnRoom& room);
  ~CudnnConvolution();

  /// Computes both passes of so many samples of zeros, before anything is recorded: cuDNN loads its kernels at the
  /// first call.
  void prepare(const Cuda& gpu, int samples);
  /// Shapes are those that check_conv2d_forward_shapes and check_conv2d_backward_shapes take.
  void forward(const Cuda& gpu, const Conv2dForward& forward);
  void backward(const Cuda& gpu, const Conv2dBackward& backward);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sparsepush
