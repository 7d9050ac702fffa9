// Convolutions of many nodes, each with its own weights.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/cache_line.h"
#include "kernels/backend/view.h"
#include "kernels/layers/conv2d_layer.h"
#include "kernels/layers/norm_gradient.h"
#include "kernels/layers/norm_on_load.h"

namespace sparsepush {

/// Arguments of `Conv2d::forward`. Samples of one node are consecutive, `samples` of them per node.
struct Conv2dForward {
  MatrixView<const float> x;      ///< [nodes, row] push-sum numerators
  std::span<const double> u;      ///< [nodes] push-sum weights
  MatrixView<const float> input;  ///< [nodes * samples, in]
  MatrixView<float> output;       ///< [nodes * samples, out_shape] written
  /// [nodes, >= doubles of moment_tiles(layer, samples)] written, on a Cuda only: what PivotSums says of each of those
  /// tiles of the output. Sums are in fp32 over at most 64 pixels, about the mean of eight of them, and from there in
  /// double, in an order that depends on the layer and the samples of a node only. No data: not wanted. Arrays begin on
  /// 16 bytes then, and rows of x are multiples of 16 bytes.
  MatrixView<double> moments = {};
  /// How the input is normalized while it is read, on a Cuda where can_normalize_on_load(layer, samples); arrays and
  /// rows as above. Zeros beyond the edges stay zeros.
  NormOnLoad norm = {};
};

/// Arguments of `Conv2d::backward`.
struct Conv2dBackward {
  MatrixView<const float> x;                ///< [nodes, row]
  std::span<const double> u;                ///< [nodes]
  MatrixView<const float> input;            ///< [nodes * samples, in] as in the forward pass
  MatrixView<const float> output_gradient;  ///< [nodes * samples, out_shape]
  MatrixView<float> gradient;               ///< [nodes, row] the layer's weight and bias are written, at z
  /// [nodes * samples, in] written: that of the input as it is multiplied; no data: not wanted.
  MatrixView<float> input_gradient;
  NormOnLoad norm = {};  ///< as in the forward pass
  /// What becomes of the input's gradient, on a Cuda: its sums are of norm_gradient_tiles(layer, samples) tiles, in
  /// fp32 over at most 64 pixels and from there in double, in an order that depends on the layer and the samples of a
  /// node only. Arrays and rows as in the forward pass.
  NormGradient norm_gradient = {};
};

class CudnnConvolution;
class CudnnRoom;
class OnednnConvolution;

/// What layers share that are computed one after the other and made with it; it outlives them.
template <class Backend>
class ConvolutionRoom;

template <>
class ConvolutionRoom<Cpu> {
 public:
  explicit ConvolutionRoom(const Cpu& /*cpu*/) {}
};

template <>
class ConvolutionRoom<Cuda> {
 public:
  explicit ConvolutionRoom(const Cuda& gpu);
  ~ConvolutionRoom();
  ConvolutionRoom(ConvolutionRoom&&) noexcept;

  /// Returns what cuDNN works with, which is made when a layer first wants it.
  CudnnRoom& cudnn();

 private:
  const Cuda* gpu_;
  std::unique_ptr<CudnnRoom> cudnn_;
};

/// One layer on a backend, with what can be prepared once: for calls of at most `nodes` nodes with `samples` samples
/// each, and any smaller ones.
///
///   forward    output = input * W + b with W and b at z = x * r, r = (float)(1.0 / u)
///   backward   gradients of the sum of output_gradient times output with respect to W, b and the input
///
/// Sums are in fp32. In Precision::kFp32, or on a Cpu, a sum of n terms is within (n + 3) 2^-24 of what their
/// magnitudes add up to of its exact value, on every backend; backends do not agree in bits. In kTf32 a Cuda rounds
/// what is multiplied, where it has a kernel for the shape (tensor_convolution.h): within 2^-10 + (n + 3) 2^-22. What
/// is not finite reaches what its products add to; products with zeros beyond the edges, of the padding or of outputs
/// that there are not, may be taken or left out, so it may also make NaN of sums that meet it there. Arrays that are
/// written overlap no others.
template <class Backend>
class Conv2d;

/// By oneDNN or loops of our own, on the calling thread: parallelism is over nodes. Not thread-safe; each worker has
/// its own. The order of a sum and how often it is rounded depend on the layer, the samples of a node, the type of
/// processor, the vector level, the compiler and oneDNN's version, not on threads.
template <>
class Conv2d<Cpu> {
 public:
  /// Works for any numbers of nodes and samples: what they need is prepared when they first come.
  Conv2d(const Cpu& cpu, const Conv2dLayer& layer, int nodes, int samples);
  Conv2d(const Cpu& cpu, const Conv2dLayer& layer, int nodes, int samples, ConvolutionRoom<Cpu>& /*room*/)
      : Conv2d(cpu, layer, nodes, samples) {}
  ~Conv2d();
  Conv2d(Conv2d&&) noexcept;

  /// Does nothing: calls are never recorded.
  void prepare(const Cpu& /*cpu*/, int /*samples*/) {}
  void forward(const Cpu& cpu, const Conv2dForward& forward);
  void backward(const Cpu& cpu, const Conv2dBackward& backward);

  const Conv2dLayer& layer() const { return layer_; }
  /// Plans, in bytes, the memory that calls of `samples` a node on a Cpu of `level` work in; calls of several numbers
  /// of samples share the largest, nodes one after the other.
  static std::int64_t bytes(const Conv2dLayer& layer, int nodes, int samples, VectorLevel level = best_vector_level());
  static std::int64_t room_bytes(const Conv2dLayer& /*layer*/, int /*samples*/) { return 0; }

 private:
  struct OwnLoops;
  const OnednnConvolution& prepared_for(int samples);
  const OwnLoops& own(const Cpu& cpu);  ///< empty where oneDNN computes

  Conv2dLayer layer_;
  std::map<int, std::unique_ptr<OnednnConvolution>> prepared_;  ///< by samples a node
  std::vector<CacheLine> scratch_;                              ///< that of the most demanding
  std::unique_ptr<OwnLoops> own_;
};

/// By products of matrices, all nodes of a call in one launch, and one more for sums in several parts: in TF32 where
/// the layer asks for it and tensor_convolution.h has a kernel, else in fp32 for any layer. Or by cuDNN, where the
/// layer says so (cudnn_convolution.h). The order of a sum depends on the layer and the samples of a node only: a
/// node's results have the same bits whatever other nodes the call has.
template <>
class Conv2d<Cuda> {
 public:
  /// Allocates all that calls work in, so that they can be recorded. Backward passes of more are refused.
  Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples);
  Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples, ConvolutionRoom<Cuda>& room);
  ~Conv2d();
  Conv2d(Conv2d&&) noexcept;

  /// Does what the first calls of so many samples a node would do for later ones: without it, or such calls that were
  /// not, none can be recorded of a layer that cuDNN computes.
  void prepare(const Cuda& gpu, int samples);
  void forward(const Cuda& gpu, const Conv2dForward& forward);
  void backward(const Cuda& gpu, const Conv2dBackward& backward);

  const Conv2dLayer& layer() const { return layer_; }
  /// Plans, in bytes, the memory that it holds, but for its room; and what it wants of the room, of which the largest
  /// of all layers is there, at most.
  static std::int64_t bytes(const Conv2dLayer& layer, int nodes, int samples);
  static std::int64_t room_bytes(const Conv2dLayer& layer, int samples);

 private:
  Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples,
         std::unique_ptr<ConvolutionRoom<Cuda>> room);

  Conv2dLayer layer_;
  Buffer<Cuda, float> partial_;  ///< [nodes, ranges * parameters] sums of the parameter gradient over ranges of pixels
  std::unique_ptr<ConvolutionRoom<Cuda>> own_room_;  ///< null: it was made with another
  std::unique_ptr<CudnnConvolution> cudnn_;          ///< null: by our own kernels
};

/// Checks the shapes above.
void check_conv2d_forward_shapes(const Conv2dLayer& layer, const Conv2dForward& forward);
void check_conv2d_backward_shapes(const Conv2dLayer& layer, const Conv2dBackward& backward);

}  // namespace sparsepush
