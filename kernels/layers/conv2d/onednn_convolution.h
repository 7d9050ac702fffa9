// A convolution with one set of weights by oneDNN, versions 2 and 3.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>

#include "kernels/backend/vector_level.h"
#include "kernels/layers/conv2d/conv2d.h"

namespace sparsepush {

/// Returns the widest level that oneDNN takes: its own variable DNNL_MAX_CPU_ISA limits it.
VectorLevel onednn_vector_level();

/// `layer` over `samples` samples, prepared: nothing in it changes, and objects of the same shapes share their code.
/// All calls compute on the calling thread, whatever number of threads OpenMP would take. `scratch` is scratch_bytes()
/// long and 64-byte aligned; nothing is left in it from call to call.
class OnednnConvolution {
 public:
  OnednnConvolution(const Conv2dLayer& layer, int samples);
  ~OnednnConvolution();

  std::int64_t scratch_bytes() const;

  /// A node's numerators x and r of z = x * r.
  struct Node {
    const float* x;  ///< [row]
    float r;
  };
  void forward(const Node& node, const float* input, float* output, std::byte* scratch) const;
  /// Computes the parameters' gradient. gradient: [row] of which the layer's parameters are written.
  void backward_parameters(const float* input, const float* output_gradient, float* gradient, std::byte* scratch) const;
  void backward_input(const Node& node, const float* output_gradient, float* input_gradient, std::byte* scratch) const;

 private:
  struct Prepared;
  std::unique_ptr<const Prepared> prepared_;
};

}  // namespace sparsepush
