// A network as a list of layer calls over one row of parameters.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "kernels/layers/conv2d/conv2d.h"
#include "kernels/layers/dense.h"
#include "kernels/layers/normalize/normalize.h"
#include "kernels/layers/pool.h"
#include "kernels/nodes/row_layout.h"
#include "models/parameter.h"

namespace sparsepush {

inline constexpr int kNoTensor = -1;

/// Call i reads tensor i and writes tensor i + 1. Tensor 0 is the input, the last one holds the logits.
struct LayerCall {
  std::variant<DenseLayer, Conv2dLayer, NormalizeLayer, PoolLayer> layer;
  bool relu = false;           ///< of dense layers: output = max(output, 0)
  int skip = kNoTensor;        ///< the tensor that a NormalizeLayer adds
  int skipped_to = kNoTensor;  ///< the output of the later call that adds this one's output
};

/// How an element of a parameter is drawn.
struct InitialValue {
  enum class Kind { kConstant, kUniform, kNormal } kind = Kind::kConstant;
  double scale = 0;  ///< the constant; uniform in [-scale, scale); standard deviation
};

struct Network {
  ImageShape input;
  int classes = 0;
  std::vector<LayerCall> calls;
  std::vector<int> tensor_sizes;              ///< [calls + 1] elements a sample
  std::vector<Parameter> parameters;          ///< in the order of the calls
  std::vector<InitialValue> initial;          ///< [parameters]
  RowLayout layout;                           ///< of the parameters
  std::int64_t statistics = 0;                ///< running statistics a node
  std::vector<Parameter> statistics_tensors;  ///< that follow one another in them

  int features() const { return input.size(); }
};

/// Returns whether it has other layers than dense ones.
bool has_image_layers(const Network& network);

/// Sets the precision of the products of all layers that have several.
void set_precision(Network& network, Precision precision);
/// Sets whose code computes all convolutions on a GPU.
void set_convolution_code(Network& network, ConvolutionCode code);

/// Lists the calls of a network one after the other. Tensors are called as in PyTorch: <name>.weight, <name>.bias.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(ImageShape input) { network_.input = shape_ = input, network_.tensor_sizes = {input.size()}; }

  /// Returns the number of the tensor that the next call reads.
  int tensor() const { return static_cast<int>(network_.calls.size()); }
  ImageShape shape() const { return shape_; }

  /// Adds a layer that is connected to all elements; weights and bias drawn as PyTorch draws them, uniform in +-1 /
  /// sqrt(in).
  void dense(const std::string& name, int out, bool relu);

  struct Convolution {
    int out = 0;
    int kernel = 3, stride = 1, padding = 1;
    bool bias = true;
    InitialValue weight = {};
    InitialValue initial_bias = {};
  };
  void conv2d(const std::string& name, const Convolution& convolution);

  struct Normalization {
    Norm norm = Norm::kNone;
    bool relu = true;
    int skip = kNoTensor;  ///< output of an earlier normalization
  };
  /// Adds a normalization that starts with gamma = v = 1, beta = 0.
  void normalize(const std::string& name, const Normalization& normalization);

  void pool(Pool pool);

  /// Returns what has been listed; the last call must be dense.
  Network finish();

 private:
  void add(LayerCall call, ImageShape out);
  std::int64_t parameter(const std::string& name, std::vector<std::int64_t> shape, InitialValue initial);

  Network network_;
  ImageShape shape_;
};

/// Draws the initial parameters, which depend on `seed` alone, so that all nodes of a replica start equal.
/// row: [layout.row], padding becomes 0.
void initialize_network(const Network& network, std::uint64_t seed, float* row);

/// Sets running means to 0 and variances to 1. row: [statistics].
void initialize_statistics(const Network& network, float* row);

}  // namespace sparsepush
