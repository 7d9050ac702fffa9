#include "tests/simt/cudnn.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simt/memory_use.h"
#include "tests/simt/streams.h"

struct cudnnTensorStruct {
  bool is_set = false;
  int images = 0, channels = 0, height = 0, width = 0;

  std::size_t size() const { return std::size_t{1} * images * channels * height * width; }
};
struct cudnnFilterStruct {
  bool is_set = false;
  int outputs = 0, inputs = 0, height = 0, width = 0;

  std::size_t size() const { return std::size_t{1} * outputs * inputs * height * width; }
};
struct cudnnConvolutionStruct {
  bool is_set = false;
  int padding_y = 0, padding_x = 0, stride_y = 0, stride_x = 0;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
};

namespace {

enum class Pass { kForward, kFilter, kData };

/// A pass and all the shapes that it is for.
struct Shapes {
  Pass pass;
  cudnnTensorStruct input, output;
  cudnnFilterStruct filter;
  cudnnConvolutionStruct convolution;

  using Key = std::array<int, 16>;
  Key key() const {
    return {static_cast<int>(pass), input.images,         input.channels,  input.height,          input.width,
            filter.outputs,         filter.height,        filter.width,    convolution.padding_y, convolution.padding_x,
            convolution.stride_y,   convolution.stride_x, convolution.math};
  }
  /// Bytes that the pass works in.
  std::size_t workspace() const {
    const std::size_t floats = pass == Pass::kForward  ? output.size()
                               : pass == Pass::kFilter ? 3 * filter.size()
                                                       : input.size();
    return 20 + sizeof(float) * floats * (input.images % 2 == 1 ? 3 : 1) / 2;
  }
};

}  // namespace

struct cudnnContext {
  cudaStream_t stream = nullptr;
  std::set<Shapes::Key> computed;  ///< outside of records
};

namespace {

thread_local std::string last_error;
std::set<const void*> living;  ///< handles and descriptors

cudnnStatus_t refuse(cudnnStatus_t status, const std::string& why) {
  last_error = "simulated cuDNN: " + why;
  return status;
}
cudnnStatus_t refuse(const std::string& why) { return refuse(CUDNN_STATUS_BAD_PARAM, why); }

template <class T>
cudnnStatus_t create(T** made) {
  const std::lock_guard lock(simt::gpu);
  *made = new T;
  living.insert(*made);
  return CUDNN_STATUS_SUCCESS;
}
template <class T>
cudnnStatus_t destroy(T* made) {
  const std::lock_guard lock(simt::gpu);
  if (living.erase(made) == 0) return refuse("what does not exist is destroyed");
  delete made;
  return CUDNN_STATUS_SUCCESS;
}
bool is_alive(const void* made) {
  const std::lock_guard lock(simt::gpu);
  return living.contains(made);
}

/// What is wrong with the descriptors of a pass, which is written to `shapes` if nothing is.
std::string broken_rule(Pass pass, cudnnTensorDescriptor_t input, cudnnTensorDescriptor_t output,
                        cudnnFilterDescriptor_t filter, cudnnConvolutionDescriptor_t convolution, Shapes& shapes) {
  if (!is_alive(input) || !is_alive(output) || !is_alive(filter) || !is_alive(convolution))
    return "a descriptor that does not exist";
  if (!input->is_set || !output->is_set || !filter->is_set || !convolution->is_set)
    return "a descriptor that was not set";
  if (filter->inputs != input->channels) return "a filter of other channels than the input";
  if (filter->outputs != output->channels) return "a filter for other channels than the output";
  if (output->images != input->images) return "an output of other images than the input";
  const auto outputs = [](int in, int side, int padding, int stride) {
    return in + 2 * padding < side ? 0 : (in + 2 * padding - side) / stride + 1;
  };
  if (output->height != outputs(input->height, filter->height, convolution->padding_y, convolution->stride_y) ||
      output->width != outputs(input->width, filter->width, convolution->padding_x, convolution->stride_x))
    return "an output of other sides than the convolution has";
  shapes = {pass, *input, *output, *filter, *convolution};
  return {};
}

cudnnStatus_t tell_workspace(cudnnHandle_t handle, const Shapes& shapes, const std::string& why, bool is_deterministic,
                             std::size_t* bytes) {
  if (!is_alive(handle)) return refuse("a handle that does not exist");
  if (!why.empty()) return refuse(why);
  if (!is_deterministic) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "an algorithm that is not deterministic");
  *bytes = shapes.workspace();
  return CUDNN_STATUS_SUCCESS;
}

/// The arrays of a pass, and what is given with them.
struct Call {
  cudnnHandle_t handle;
  const void *alpha, *beta;
  const float *input, *output, *filter;
  void* workspace;
  std::size_t workspace_bytes;
  bool is_deterministic;
};

std::string broken_rule(const Call& call, const Shapes& shapes) {
  if (!is_alive(call.handle)) return "a handle that does not exist";
  if (call.handle->stream == nullptr) return "a handle without a stream; the default stream is not simulated";
  if (*static_cast<const float*>(call.alpha) != 1 || *static_cast<const float*>(call.beta) != 0)
    return "other factors than 1 and 0 are not simulated";
  if (!call.is_deterministic) return "an algorithm that is not deterministic";
  if (call.workspace_bytes < shapes.workspace()) return "a workspace smaller than it was said to be";
  const simt::MemoryRange ranges[] = {{call.input, sizeof(float) * shapes.input.size()},
                                      {call.output, sizeof(float) * shapes.output.size()},
                                      {call.filter, sizeof(float) * shapes.filter.size()},
                                      {call.workspace, call.workspace_bytes}};
  for (const simt::MemoryRange& range : ranges) {
    const auto* first = static_cast<const unsigned char*>(range.first);
    if (reinterpret_cast<std::uintptr_t>(first) % 16 != 0) return "an array that does not begin on 16 bytes";
    if (simt::memory_at(first) != simt::Memory::kDevice ||
        simt::memory_at(first + range.bytes - 1) != simt::Memory::kDevice)
      return "memory that is not the GPU's";
    for (const simt::MemoryRange& other : ranges)
      if (&other != &range && simt::overlap(range, other)) return "arrays that overlap";
  }
  if (simt::records(call.handle->stream) && !call.handle->computed.contains(shapes.key()))
    return "recorded work of shapes that were not computed before: kernels would be loaded while it is recorded";
  return {};
}

/// Calls body(input, output, filter) for every product of the definition: where its three numbers stand.
void for_each_product(const Shapes& s, const auto& body) {
  const cudnnConvolutionStruct& c = s.convolution;
  for (int image = 0; image < s.input.images; ++image)
    for (int y = 0; y < s.output.height; ++y)
      for (int x = 0; x < s.output.width; ++x)
        for (int out = 0; out < s.output.channels; ++out)
          for (int tap_y = 0; tap_y < s.filter.height; ++tap_y)
            for (int tap_x = 0; tap_x < s.filter.width; ++tap_x) {
              const int in_y = y * c.stride_y - c.padding_y + tap_y, in_x = x * c.stride_x - c.padding_x + tap_x;
              if (in_y < 0 || in_y >= s.input.height || in_x < 0 || in_x >= s.input.width) continue;
              const std::size_t at =
                  ((std::size_t{1} * image * s.input.height + in_y) * s.input.width + in_x) * s.input.channels;
              const std::size_t output =
                  ((std::size_t{1} * image * s.output.height + y) * s.output.width + x) * s.output.channels + out;
              const std::size_t filter =
                  ((std::size_t{1} * out * s.filter.height + tap_y) * s.filter.width + tap_x) * s.input.channels;
              for (int in = 0; in < s.input.channels; ++in) body(at + in, output, filter + in);
            }
}

void compute(const Call& call, const Shapes& s) {
  const bool drops_bits = s.convolution.math == CUDNN_DEFAULT_MATH;  // as tensor cores do, of numbers in TF32
  const auto operand = [=](float value) {
    return drops_bits ? std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0xffffe000u) : value;
  };
  auto* bytes = static_cast<unsigned char*>(call.workspace);
  std::fill_n(bytes, s.workspace(), static_cast<unsigned char>(0xff));
  auto* const written = const_cast<float*>(s.pass == Pass::kForward  ? call.output
                                           : s.pass == Pass::kFilter ? call.filter
                                                                     : call.input);
  std::fill_n(written,
              s.pass == Pass::kForward  ? s.output.size()
              : s.pass == Pass::kFilter ? s.filter.size()
                                        : s.input.size(),
              0.0f);
  for_each_product(s, [&](std::size_t in, std::size_t out, std::size_t weight) {
    if (s.pass == Pass::kForward)
      written[out] += operand(call.input[in]) * operand(call.filter[weight]);
    else if (s.pass == Pass::kFilter)
      written[weight] += operand(call.output[out]) * operand(call.input[in]);
    else
      written[in] += operand(call.output[out]) * operand(call.filter[weight]);
  });
}

cudnnStatus_t enqueue(const Call& call, const Shapes& shapes, const std::string& why) {
  if (!why.empty()) return refuse(why);
  if (const std::string broken = broken_rule(call, shapes); !broken.empty()) return refuse(broken);
  if (!simt::records(call.handle->stream)) call.handle->computed.insert(shapes.key());
  simt::enqueue(call.handle->stream, [call, shapes] { compute(call, shapes); });
  return CUDNN_STATUS_SUCCESS;
}

bool is_deterministic(cudnnConvolutionFwdAlgo_t) { return true; }
bool is_deterministic(cudnnConvolutionBwdFilterAlgo_t a) { return a != CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0; }
bool is_deterministic(cudnnConvolutionBwdDataAlgo_t a) { return a != CUDNN_CONVOLUTION_BWD_DATA_ALGO_0; }

const float* floats(const void* array) { return static_cast<const float*>(array); }

}  // namespace

std::size_t cudnnGetVersion() { return 90102; }
cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  if (simt::recording) return refuse("a handle made while work is recorded");
  return create(handle);
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return destroy(handle); }
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  if (!is_alive(handle)) return refuse("a handle that does not exist");
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}
const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS:
      return "no error";
    case CUDNN_STATUS_BAD_PARAM:
      return "bad parameter (simulated)";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "not supported (simulated)";
  }
  return "unknown status (simulated)";
}
void cudnnGetLastErrorString(char* text, std::size_t size) { std::snprintf(text, size, "%s", last_error.c_str()); }

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) { return create(tensor); }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) { return destroy(tensor); }
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int images, int channels, int height, int width) {
  if (!is_alive(tensor)) return refuse("a descriptor that does not exist");
  if (format != CUDNN_TENSOR_NHWC || type != CUDNN_DATA_FLOAT)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "other images than NHWC of floats");
  if (images < 1 || channels < 1 || height < 1 || width < 1) return refuse("a tensor without elements");
  *tensor = {true, images, channels, height, width};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filter) { return create(filter); }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) { return destroy(filter); }
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int outputs, int inputs, int height, int width) {
  if (!is_alive(filter)) return refuse("a descriptor that does not exist");
  if (format != CUDNN_TENSOR_NHWC || type != CUDNN_DATA_FLOAT)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "other filters than KRSC of floats");
  if (outputs < 1 || inputs < 1 || height < 1 || width < 1) return refuse("a filter without weights");
  *filter = {true, outputs, inputs, height, width};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* convolution) {
  return create(convolution);
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convolution) {
  return destroy(convolution);
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int padding_y, int padding_x,
                                              int stride_y, int stride_x, int dilation_y, int dilation_x,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t type) {
  if (!is_alive(convolution)) return refuse("a descriptor that does not exist");
  if (padding_y < 0 || padding_x < 0 || stride_y < 1 || stride_x < 1) return refuse("a padding or stride of nothing");
  if (dilation_y != 1 || dilation_x != 1 || mode != CUDNN_CROSS_CORRELATION || type != CUDNN_DATA_FLOAT)
    return refuse(CUDNN_STATUS_NOT_SUPPORTED, "other convolutions than cross-correlations in fp32");
  *convolution = {true, padding_y, padding_x, stride_y, stride_x, CUDNN_DEFAULT_MATH};
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution, cudnnMathType_t math) {
  if (!is_alive(convolution) || !convolution->is_set) return refuse("a descriptor that does not exist or was not set");
  convolution->math = math;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t input,
                                                      cudnnFilterDescriptor_t filter,
                                                      cudnnConvolutionDescriptor_t convolution,
                                                      cudnnTensorDescriptor_t output,
                                                      cudnnConvolutionFwdAlgo_t algorithm, std::size_t* bytes) {
  Shapes shapes{};
  const std::string why = broken_rule(Pass::kForward, input, output, filter, convolution, shapes);
  return tell_workspace(handle, shapes, why, is_deterministic(algorithm), bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, cudnnTensorDescriptor_t input,
                                                             cudnnTensorDescriptor_t output_gradient,
                                                             cudnnConvolutionDescriptor_t convolution,
                                                             cudnnFilterDescriptor_t gradient,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm,
                                                             std::size_t* bytes) {
  Shapes shapes{};
  const std::string why = broken_rule(Pass::kFilter, input, output_gradient, gradient, convolution, shapes);
  return tell_workspace(handle, shapes, why, is_deterministic(algorithm), bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, cudnnFilterDescriptor_t filter,
                                                           cudnnTensorDescriptor_t output_gradient,
                                                           cudnnConvolutionDescriptor_t convolution,
                                                           cudnnTensorDescriptor_t gradient,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm,
                                                           std::size_t* bytes) {
  Shapes shapes{};
  const std::string why = broken_rule(Pass::kData, gradient, output_gradient, filter, convolution, shapes);
  return tell_workspace(handle, shapes, why, is_deterministic(algorithm), bytes);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha, cudnnTensorDescriptor_t input_shape,
                                      const void* input, cudnnFilterDescriptor_t filter_shape, const void* filter,
                                      cudnnConvolutionDescriptor_t convolution, cudnnConvolutionFwdAlgo_t algorithm,
                                      void* workspace, std::size_t workspace_bytes, const void* beta,
                                      cudnnTensorDescriptor_t output_shape, void* output) {
  const std::lock_guard lock(simt::gpu);
  Shapes shapes{};
  const std::string why = broken_rule(Pass::kForward, input_shape, output_shape, filter_shape, convolution, shapes);
  return enqueue({handle, alpha, beta, floats(input), floats(output), floats(filter), workspace, workspace_bytes,
                  is_deterministic(algorithm)},
                 shapes, why);
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             cudnnTensorDescriptor_t input_shape, const void* input,
                                             cudnnTensorDescriptor_t output_shape, const void* output_gradient,
                                             cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace,
                                             std::size_t workspace_bytes, const void* beta,
                                             cudnnFilterDescriptor_t filter_shape, void* gradient) {
  const std::lock_guard lock(simt::gpu);
  Shapes shapes{};
  const std::string why = broken_rule(Pass::kFilter, input_shape, output_shape, filter_shape, convolution, shapes);
  return enqueue({handle, alpha, beta, floats(input), floats(output_gradient), floats(gradient), workspace,
                  workspace_bytes, is_deterministic(algorithm)},
                 shapes, why);
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           cudnnFilterDescriptor_t filter_shape, const void* filter,
                                           cudnnTensorDescriptor_t output_shape, const void* output_gradient,
                                           cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace,
                                           std::size_t workspace_bytes, const void* beta,
                                           cudnnTensorDescriptor_t input_shape, void* gradient) {
  const std::lock_guard lock(simt::gpu);
  Shapes shapes{};
  const std::string why = broken_rule(Pass::kData, input_shape, output_shape, filter_shape, convolution, shapes);
  return enqueue({handle, alpha, beta, floats(gradient), floats(output_gradient), floats(filter), workspace,
                  workspace_bytes, is_deterministic(algorithm)},
                 shapes, why);
}
