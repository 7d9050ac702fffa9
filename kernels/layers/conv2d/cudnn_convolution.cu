#include <cudnn.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/backend/buffer.h"
#include "kernels/backend/check.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "kernels/layers/conv2d/cudnn_filters.h"
#include "kernels/layers/conv2d/tensor_shapes.h"
#include "kernels/layers/conv2d/tensor_sums.h"

namespace sparsepush {
namespace {

std::string text_of(const Conv2dLayer& layer) {
  const auto side = [](int height, int width) { return std::to_string(height) + " x " + std::to_string(width); };
  return "the convolution of " + side(layer.in.height, layer.in.width) + " x " + std::to_string(layer.in.channels) +
         " to " + std::to_string(layer.out) + " channels, kernel " + side(layer.kernel, layer.kernel) + ", stride " +
         std::to_string(layer.stride) + ", padding " + std::to_string(layer.padding);
}

/// Checks calls of cuDNN for a layer, or for none.
struct Checked {
  const Conv2dLayer* layer;

  void operator()(cudnnStatus_t status, const char* call) const {
    if (status == CUDNN_STATUS_SUCCESS) return;
    char last[512] = {};
    cudnnGetLastErrorString(last, sizeof last);
    throw std::runtime_error(std::string(call) + (layer == nullptr ? "" : " for " + text_of(*layer)) + ": " +
                             cudnnGetErrorString(status) + (last[0] == 0 ? "" : std::string(": ") + last));
  }
};

/// A handle or descriptor.
template <class T, cudnnStatus_t (*create)(T*), cudnnStatus_t (*destroy)(T)>
class Owned {
 public:
  explicit Owned(const Checked& check) { check(create(&made_), "creating what cuDNN works with"); }
  ~Owned() { destroy(made_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  T get() const { return made_; }

 private:
  T made_ = nullptr;
};
using Handle = Owned<cudnnHandle_t, cudnnCreate, cudnnDestroy>;
using Tensor = Owned<cudnnTensorDescriptor_t, cudnnCreateTensorDescriptor, cudnnDestroyTensorDescriptor>;
using Filter = Owned<cudnnFilterDescriptor_t, cudnnCreateFilterDescriptor, cudnnDestroyFilterDescriptor>;
using Convolution =
    Owned<cudnnConvolutionDescriptor_t, cudnnCreateConvolutionDescriptor, cudnnDestroyConvolutionDescriptor>;

constexpr float kOne = 1, kZero = 0;  // results replace what there was

// Deterministic ones, as cuDNN's documentation has them.
constexpr auto kForward = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;
constexpr auto kFilter = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;
constexpr auto kData = CUDNN_CONVOLUTION_BWD_DATA_ALGO_1;

/// The images of so many samples.
struct Images {
  Images(const Checked& check, const ImageShape& shape, int samples) : tensor(check) {
    check(cudnnSetTensor4dDescriptor(tensor.get(), CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, samples, shape.channels,
                                     shape.height, shape.width),
          "cudnnSetTensor4dDescriptor");
  }
  Tensor tensor;
};

/// A node's images where they are on 16 bytes, or a copy that is.
class AlignedImages {
 public:
  AlignedImages(const Cuda& gpu, std::int64_t floats) : copy_(gpu, 1, static_cast<int>(floats)) {}

  const float* read(const Cuda& gpu, const float* images, std::int64_t floats) const {
    if (is_on_quads(images)) return images;
    copy_within(gpu, place_of(images, floats), images, static_cast<std::size_t>(floats) * sizeof(float));
    return copy_.view().data;
  }
  /// Returns where images are written that `written` takes to their place.
  float* write(float* images, std::int64_t floats) const { return place_of(images, floats); }
  void written(const Cuda& gpu, float* images, std::int64_t floats) const {
    if (!is_on_quads(images))
      copy_within(gpu, images, copy_.view().data, static_cast<std::size_t>(floats) * sizeof(float));
  }

 private:
  float* place_of(const float* images, std::int64_t floats) const {
    if (is_on_quads(images)) return const_cast<float*>(images);
    CHECK(floats <= std::ssize(copy_.span()), "images that do not begin on 16 bytes, and room for ",
          copy_.span().size(), " of ", floats, " floats");
    return copy_.view().data;
  }

  Buffer<Cuda, float> copy_;
};

}  // namespace

std::string cudnn_version() {
  if (!cudnn_problem().empty()) return "";
  const std::size_t version = cudnnGetVersion();  // 10000 major + 100 minor + patch
  return std::to_string(version / 10000) + '.' + std::to_string(version / 100 % 100) + '.' +
         std::to_string(version % 100);
}

struct CudnnRoom::State {
  explicit State(const Cuda& gpu) : handle(check), workspace(gpu, 0, kQuad) {
    check(cudnnSetStream(handle.get(), stream_of(gpu)), "cudnnSetStream");
  }
  /// Makes room for a layer's calls, before any is recorded.
  void grow(const Cuda& gpu, std::int64_t bytes) {
    const std::int64_t quads = divide_up(bytes, kQuad * static_cast<std::int64_t>(sizeof(float)));
    CHECK(quads <= std::numeric_limits<int>::max(), "bytes to work in ", bytes);
    if (quads <= workspace.view().rows) return;
    workspace = Buffer<Cuda, float>(gpu, 0, kQuad);  // the old one goes first
    workspace = Buffer<Cuda, float>(gpu, static_cast<int>(quads), kQuad);
  }
  float* data() const { return workspace.view().data; }

  static constexpr int kQuad = 4;  ///< floats of a row

  Checked check{nullptr};
  Handle handle;
  Buffer<Cuda, float> workspace;  ///< [rows, kQuad] what the most demanding layer may work in
};

CudnnRoom::CudnnRoom(const Cuda& gpu) {
  if (const std::string problem = cudnn_problem(); !problem.empty()) throw std::runtime_error(problem);
  state_ = std::make_unique<State>(gpu);
}
CudnnRoom::~CudnnRoom() = default;

struct CudnnConvolution::State {
  State(const Cuda& gpu, const Conv2dLayer& made_for, int nodes, int samples, CudnnRoom::State& in)
      : layer(made_for),
        memory(layer, samples),
        room(in),
        filter(check),
        convolution(check),
        filters(gpu, nodes, static_cast<int>(memory.filter)),
        input_copy(gpu, memory.input_copy),
        output_copy(gpu, memory.output_copy),
        most_samples(samples) {
    const int side = layer.kernel, padding = layer.padding, stride = layer.stride;
    check(cudnnSetFilter4dDescriptor(filter.get(), CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, layer.out, layer.in.channels,
                                     side, side),
          "cudnnSetFilter4dDescriptor");
    check(cudnnSetConvolution2dDescriptor(convolution.get(), padding, padding, stride, stride, 1, 1,
                                          CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT),
          "cudnnSetConvolution2dDescriptor");
    const bool in_tf32 = layer.precision == Precision::kTf32 && layer.kernel == 3;
    check(cudnnSetConvolutionMathType(convolution.get(), in_tf32 ? CUDNN_DEFAULT_MATH : CUDNN_FMA_MATH),
          "cudnnSetConvolutionMathType");
    batch_of(samples);
    room.grow(gpu, memory.most_workspace);
  }

  /// What depends on the samples of a node.
  struct Batch {
    Batch(const Checked& check, const Conv2dLayer& layer, int samples)
        : input(check, layer.in, samples), output(check, layer.out_shape(), samples) {}

    Images input, output;
    std::size_t forward = 0, filter = 0, data = 0;  ///< bytes of workspace
    std::size_t most() const { return std::max({forward, filter, data}); }
  };

  const Batch& batch_of(int samples) {
    std::unique_ptr<Batch>& batch = batches[samples];
    if (batch != nullptr) return *batch;
    auto made = std::make_unique<Batch>(check, layer, samples);
    const auto in = made->input.tensor.get(), out = made->output.tensor.get();
    check(cudnnGetConvolutionForwardWorkspaceSize(room.handle.get(), in, filter.get(), convolution.get(), out, kForward,
                                                  &made->forward),
          "cudnnGetConvolutionForwardWorkspaceSize");
    check(cudnnGetConvolutionBackwardFilterWorkspaceSize(room.handle.get(), in, out, convolution.get(), filter.get(),
                                                         kFilter, &made->filter),
          "cudnnGetConvolutionBackwardFilterWorkspaceSize");
    check(cudnnGetConvolutionBackwardDataWorkspaceSize(room.handle.get(), filter.get(), out, convolution.get(), in,
                                                       kData, &made->data),
          "cudnnGetConvolutionBackwardDataWorkspaceSize");
    const auto most = static_cast<std::int64_t>(made->most());
    if (most > memory.most_workspace)
      throw std::runtime_error("cuDNN wants " + std::to_string(most) + " bytes to work in for " + text_of(layer) +
                               ", more than the " + std::to_string(memory.most_workspace) + " that are planned");
    batch = std::move(made);
    return *batch;
  }

  /// Returns the batch of a call; refuses one that is not for this.
  const Batch& batch_for(const Cuda& gpu, int nodes, int samples) {
    CHECK(nodes <= filters.view().rows && samples <= most_samples, "nodes ", nodes, ", samples of each ", samples,
          ", made for ", filters.view().rows, " and ", most_samples);
    CHECK(gpu.stream() == filters.backend().stream(), "another stream than that which the layer was made for");
    return batch_of(samples);
  }

  Conv2dLayer layer;
  Checked check{&layer};
  CudnnMemory memory;
  CudnnRoom::State& room;
  Filter filter;
  Convolution convolution;
  Buffer<Cuda, float> filters;  ///< [nodes, filter] weights at z, or their gradient
  AlignedImages input_copy, output_copy;
  int most_samples;
  std::map<int, std::unique_ptr<Batch>> batches;  ///< by samples of a node
};

CudnnConvolution::CudnnConvolution(const Cuda& gpu, const Conv2dLayer& layer, int nodes, int samples, CudnnRoom& room)
    : state_(std::make_unique<State>(gpu, layer, nodes, samples, *room.state_)) {}
CudnnConvolution::~CudnnConvolution() = default;

void CudnnConvolution::prepare(const Cuda& gpu, int samples) {
  const Conv2dLayer& layer = state_->layer;
  const std::int64_t weights = std::int64_t{layer.out} * layer.in.channels * layer.kernel * layer.kernel;
  const auto row = static_cast<int>(std::max(layer.weight + weights, layer.bias + layer.out));
  const Buffer<Cuda, float> x(gpu, 1, row), input(gpu, samples, layer.in.size()),
      output(gpu, samples, layer.out_shape().size()), gradient(gpu, 1, row),
      input_gradient(gpu, samples, layer.in.size());
  const Buffer<Cuda, double> u(gpu, std::vector<double>{1});
  forward(gpu, {.x = x.view(), .u = u.span(), .input = input.view(), .output = output.view()});
  backward(gpu, {.x = x.view(),
                 .u = u.span(),
                 .input = input.view(),
                 .output_gradient = output.view(),
                 .gradient = gradient.view(),
                 .input_gradient = input_gradient.view()});
  gpu.synchronize();
}

void CudnnConvolution::forward(const Cuda& gpu, const Conv2dForward& f) {
  State& s = *state_;
  const int nodes = f.x.rows, samples = f.input.rows / nodes;
  const State::Batch& batch = s.batch_for(gpu, nodes, samples);
  const std::int64_t in = std::int64_t{samples} * f.input.cols, out = std::int64_t{samples} * f.output.cols;
  write_filters(gpu, s.layer, f.x, f.u, s.filters.view());
  for (int node = 0; node < nodes; ++node) {
    float* const output = f.output.row(std::int64_t{node} * samples);
    const float* const input = s.input_copy.read(gpu, f.input.row(std::int64_t{node} * samples), in);
    s.check(cudnnConvolutionForward(s.room.handle.get(), &kOne, batch.input.tensor.get(), input, s.filter.get(),
                                    s.filters.view().row(node), s.convolution.get(), kForward, s.room.data(),
                                    batch.forward, &kZero, batch.output.tensor.get(), s.output_copy.write(output, out)),
            "cudnnConvolutionForward");
    s.output_copy.written(gpu, output, out);
  }
  if (s.layer.bias != Conv2dLayer::kNoBias) add_biases(gpu, s.layer, f);
}

void CudnnConvolution::backward(const Cuda& gpu, const Conv2dBackward& b) {
  State& s = *state_;
  const int nodes = b.x.rows, samples = b.input.rows / nodes;
  const State::Batch& batch = s.batch_for(gpu, nodes, samples);
  const std::int64_t in = std::int64_t{samples} * b.input.cols, out = std::int64_t{samples} * b.output_gradient.cols;
  for (int node = 0; node < nodes; ++node) {
    const std::int64_t first = std::int64_t{node} * samples;
    const float* const input = s.input_copy.read(gpu, b.input.row(first), in);
    const float* const output_gradient = s.output_copy.read(gpu, b.output_gradient.row(first), out);
    s.check(
        cudnnConvolutionBackwardFilter(s.room.handle.get(), &kOne, batch.input.tensor.get(), input,
                                       batch.output.tensor.get(), output_gradient, s.convolution.get(), kFilter,
                                       s.room.data(), batch.filter, &kZero, s.filter.get(), s.filters.view().row(node)),
        "cudnnConvolutionBackwardFilter");
  }
  read_filter_gradient(gpu, s.layer, s.filters.view(), b.gradient);
  if (s.layer.bias != Conv2dLayer::kNoBias) add_up_bias_gradient(gpu, s.layer, samples, b);
  if (b.input_gradient.data == nullptr) return;
  write_filters(gpu, s.layer, b.x, b.u, s.filters.view());
  for (int node = 0; node < nodes; ++node) {
    const std::int64_t first = std::int64_t{node} * samples;
    float* const input_gradient = b.input_gradient.row(first);
    const float* const output_gradient = s.output_copy.read(gpu, b.output_gradient.row(first), out);
    s.check(cudnnConvolutionBackwardData(s.room.handle.get(), &kOne, s.filter.get(), s.filters.view().row(node),
                                         batch.output.tensor.get(), output_gradient, s.convolution.get(), kData,
                                         s.room.data(), batch.data, &kZero, batch.input.tensor.get(),
                                         s.input_copy.write(input_gradient, in)),
            "cudnnConvolutionBackwardData");
    s.input_copy.written(gpu, input_gradient, in);
  }
}

}  // namespace sparsepush
