// cuDNN's functions, each found in its library when it is called: a program that may use them starts where the library,
// which is large, is missing.
#include <cudnn.h>
#include <dlfcn.h>

#include <cstddef>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "kernels/layers/conv2d/cudnn_convolution.h"

namespace sparsepush {
namespace {

/// Returns the library, or null if it is not there.
void* library() {
  static void* const loaded = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  return loaded;
}

/// Calls the library's function of this name, which is declared like the one that is given.
template <class Result, class... Params>
Result pass_on(const char* name, Result (*)(Params...), std::type_identity_t<Params>... args) {
  void* const found = library() == nullptr ? nullptr : dlsym(library(), name);
  if (found == nullptr) throw std::runtime_error(std::string("libcudnn.so.9 is not there, or has no ") + name);
  return reinterpret_cast<Result (*)(Params...)>(found)(args...);
}

}  // namespace

std::string cudnn_problem() {
  static const std::string problem = [] {
    if (library() != nullptr) return std::string();
    const char* const why = dlerror();
    return std::string("cuDNN's library cannot be loaded: ") + (why != nullptr ? why : "libcudnn.so.9");
  }();
  return problem;
}

}  // namespace sparsepush

using sparsepush::pass_on;

size_t cudnnGetVersion() { return pass_on("cudnnGetVersion", &cudnnGetVersion); }

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) { return pass_on("cudnnCreate", &cudnnCreate, handle); }
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) { return pass_on("cudnnDestroy", &cudnnDestroy, handle); }
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  return pass_on("cudnnSetStream", &cudnnSetStream, handle, stream);
}
const char* cudnnGetErrorString(cudnnStatus_t status) {
  return pass_on("cudnnGetErrorString", &cudnnGetErrorString, status);
}
void cudnnGetLastErrorString(char* text, size_t size) {
  pass_on("cudnnGetLastErrorString", &cudnnGetLastErrorString, text, size);
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensor) {
  return pass_on("cudnnCreateTensorDescriptor", &cudnnCreateTensorDescriptor, tensor);
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensor) {
  return pass_on("cudnnDestroyTensorDescriptor", &cudnnDestroyTensorDescriptor, tensor);
}
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensor, cudnnTensorFormat_t format,
                                         cudnnDataType_t type, int n, int c, int h, int w) {
  return pass_on("cudnnSetTensor4dDescriptor", &cudnnSetTensor4dDescriptor, tensor, format, type, n, c, h, w);
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filter) {
  return pass_on("cudnnCreateFilterDescriptor", &cudnnCreateFilterDescriptor, filter);
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filter) {
  return pass_on("cudnnDestroyFilterDescriptor", &cudnnDestroyFilterDescriptor, filter);
}
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filter, cudnnDataType_t type,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
  return pass_on("cudnnSetFilter4dDescriptor", &cudnnSetFilter4dDescriptor, filter, type, format, k, c, h, w);
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* convolution) {
  return pass_on("cudnnCreateConvolutionDescriptor", &cudnnCreateConvolutionDescriptor, convolution);
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convolution) {
  return pass_on("cudnnDestroyConvolutionDescriptor", &cudnnDestroyConvolutionDescriptor, convolution);
}
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convolution, int pad_h, int pad_w, int u,
                                              int v, int dilation_h, int dilation_w, cudnnConvolutionMode_t mode,
                                              cudnnDataType_t type) {
  return pass_on("cudnnSetConvolution2dDescriptor", &cudnnSetConvolution2dDescriptor, convolution, pad_h, pad_w, u, v,
                 dilation_h, dilation_w, mode, type);
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convolution, cudnnMathType_t math) {
  return pass_on("cudnnSetConvolutionMathType", &cudnnSetConvolutionMathType, convolution, math);
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t input,
                                                      const cudnnFilterDescriptor_t filter,
                                                      const cudnnConvolutionDescriptor_t convolution,
                                                      const cudnnTensorDescriptor_t output,
                                                      cudnnConvolutionFwdAlgo_t algorithm, size_t* bytes) {
  return pass_on("cudnnGetConvolutionForwardWorkspaceSize", &cudnnGetConvolutionForwardWorkspaceSize, handle, input,
                 filter, convolution, output, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(cudnnHandle_t handle, const cudnnTensorDescriptor_t input,
                                                             const cudnnTensorDescriptor_t output,
                                                             const cudnnConvolutionDescriptor_t convolution,
                                                             const cudnnFilterDescriptor_t filter,
                                                             cudnnConvolutionBwdFilterAlgo_t algorithm, size_t* bytes) {
  return pass_on("cudnnGetConvolutionBackwardFilterWorkspaceSize", &cudnnGetConvolutionBackwardFilterWorkspaceSize,
                 handle, input, output, convolution, filter, algorithm, bytes);
}
cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(cudnnHandle_t handle, const cudnnFilterDescriptor_t filter,
                                                           const cudnnTensorDescriptor_t output,
                                                           const cudnnConvolutionDescriptor_t convolution,
                                                           const cudnnTensorDescriptor_t input,
                                                           cudnnConvolutionBwdDataAlgo_t algorithm, size_t* bytes) {
  return pass_on("cudnnGetConvolutionBackwardDataWorkspaceSize", &cudnnGetConvolutionBackwardDataWorkspaceSize, handle,
                 filter, output, convolution, input, algorithm, bytes);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      const cudnnTensorDescriptor_t input_shape, const void* input,
                                      const cudnnFilterDescriptor_t filter_shape, const void* filter,
                                      const cudnnConvolutionDescriptor_t convolution,
                                      cudnnConvolutionFwdAlgo_t algorithm, void* workspace, size_t bytes,
                                      const void* beta, const cudnnTensorDescriptor_t output_shape, void* output) {
  return pass_on("cudnnConvolutionForward", &cudnnConvolutionForward, handle, alpha, input_shape, input, filter_shape,
                 filter, convolution, algorithm, workspace, bytes, beta, output_shape, output);
}
cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             const cudnnTensorDescriptor_t input_shape, const void* input,
                                             const cudnnTensorDescriptor_t output_shape, const void* output_gradient,
                                             const cudnnConvolutionDescriptor_t convolution,
                                             cudnnConvolutionBwdFilterAlgo_t algorithm, void* workspace, size_t bytes,
                                             const void* beta, const cudnnFilterDescriptor_t filter_shape,
                                             void* gradient) {
  return pass_on("cudnnConvolutionBackwardFilter", &cudnnConvolutionBackwardFilter, handle, alpha, input_shape, input,
                 output_shape, output_gradient, convolution, algorithm, workspace, bytes, beta, filter_shape, gradient);
}
cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           const cudnnFilterDescriptor_t filter_shape, const void* filter,
                                           const cudnnTensorDescriptor_t output_shape, const void* output_gradient,
                                           const cudnnConvolutionDescriptor_t convolution,
                                           cudnnConvolutionBwdDataAlgo_t algorithm, void* workspace, size_t bytes,
                                           const void* beta, const cudnnTensorDescriptor_t input_shape,
                                           void* gradient) {
  return pass_on("cudnnConvolutionBackwardData", &cudnnConvolutionBackwardData, handle, alpha, filter_shape, filter,
                 output_shape, output_gradient, convolution, algorithm, workspace, bytes, beta, input_shape, gradient);
}
