// The stand-in for cuDNN refuses what cuDNN refuses, or computes in another way each time.
#include <cudnn.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/repeated_work.h"

namespace sparsepush {
namespace {

std::string last_error() {
  char text[256] = {};
  cudnnGetLastErrorString(text, sizeof text);
  return text;
}

/// A convolution of two images of 4 x 4 x 2 to three channels, 3 x 3, padding 1, of which a test changes something.
struct SmallConvolution {
  SmallConvolution() {
    EXPECT_EQ(cudnnCreate(&handle), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(cudnnSetStream(handle, stream_of(gpu)), CUDNN_STATUS_SUCCESS);
    for (cudnnTensorDescriptor_t* tensor : {&input, &output})
      EXPECT_EQ(cudnnCreateTensorDescriptor(tensor), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(cudnnCreateFilterDescriptor(&filter), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(cudnnCreateConvolutionDescriptor(&convolution), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(set(input, 2, 2, 4, 4), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(set(output, 2, 3, 4, 4), CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(cudnnSetFilter4dDescriptor(filter, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, 3, 2, 3, 3),
              CUDNN_STATUS_SUCCESS);
    EXPECT_EQ(set_convolution(1, 1), CUDNN_STATUS_SUCCESS);
  }
  ~SmallConvolution() {
    for (const cudnnTensorDescriptor_t tensor : {input, output}) cudnnDestroyTensorDescriptor(tensor);
    cudnnDestroyFilterDescriptor(filter);
    cudnnDestroyConvolutionDescriptor(convolution);
    cudnnDestroy(handle);
  }

  static cudnnStatus_t set(cudnnTensorDescriptor_t tensor, int images, int channels, int height, int width) {
    return cudnnSetTensor4dDescriptor(tensor, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, images, channels, height, width);
  }
  cudnnStatus_t set_convolution(int padding, int stride) const {
    return cudnnSetConvolution2dDescriptor(convolution, padding, padding, stride, stride, 1, 1, CUDNN_CROSS_CORRELATION,
                                           CUDNN_DATA_FLOAT);
  }
  cudnnStatus_t forward() const {
    return cudnnConvolutionForward(handle, &alpha, input, x, filter, w, convolution,
                                   CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, workspace, workspace_bytes, &beta,
                                   output, y);
  }
  void expect_refused(const std::string& why) const {
    EXPECT_NE(forward(), CUDNN_STATUS_SUCCESS) << why;
    EXPECT_EQ(last_error(), "simulated cuDNN: " + why);
  }

  const Cuda gpu;
  cudnnHandle_t handle = nullptr;
  cudnnTensorDescriptor_t input = nullptr, output = nullptr;
  cudnnFilterDescriptor_t filter = nullptr;
  cudnnConvolutionDescriptor_t convolution = nullptr;
  const Buffer<Cuda, float> images{gpu, 1, 64}, filters{gpu, 1, 56}, outputs{gpu, 1, 96}, room{gpu, 1, 400};
  float *x = images.view().data, *w = filters.view().data, *y = outputs.view().data, *workspace = room.view().data;
  std::size_t workspace_bytes = 1600;
  float alpha = 1, beta = 0;
};

TEST(SimulatedCudnn, ComputesACrossCorrelation) {
  SmallConvolution c;
  std::vector<float> image(64), filter(56);
  image[2 * 5] = 2;                        // of image 0: pixel 1, 1, channel 0
  filter[(1 * 9 + 3 * 0 + 2) * 2] = 0.75;  // of output 1: tap 0, 2, channel 0
  const Buffer<Cuda, float> images(c.gpu, image), filters(c.gpu, filter);
  c.x = images.view().data, c.w = filters.view().data;
  ASSERT_EQ(c.forward(), CUDNN_STATUS_SUCCESS) << last_error();
  std::vector<float> expected(96);
  expected[(2 * 4 + 0) * 3 + 1] = 1.5;  // pixel 2, 0 reads 1, 1 by that tap
  EXPECT_EQ(c.outputs.to_host(), expected);
}

TEST(SimulatedCudnn, RefusesDescriptorsThatDoNotFit) {
  SmallConvolution c;
  EXPECT_EQ(c.forward(), CUDNN_STATUS_SUCCESS) << last_error();
  c.set(c.input, 2, 3, 4, 4);
  c.expect_refused("a filter of other channels than the input");
  c.set(c.input, 1, 2, 4, 4);
  c.expect_refused("an output of other images than the input");
  c.set(c.input, 2, 2, 5, 4);
  c.expect_refused("an output of other sides than the convolution has");
  c.set(c.input, 2, 2, 4, 4);
  c.set_convolution(1, 2);
  c.expect_refused("an output of other sides than the convolution has");
  c.set_convolution(1, 1);
  c.set(c.output, 2, 4, 4, 4);
  c.expect_refused("a filter for other channels than the output");
  c.set(c.output, 2, 3, 4, 4);
  EXPECT_EQ(c.forward(), CUDNN_STATUS_SUCCESS) << last_error();
}

TEST(SimulatedCudnn, RefusesDescriptorsThatWereNotSetOrAreGone) {
  SmallConvolution c;
  const cudnnFilterDescriptor_t before = c.filter;
  cudnnCreateFilterDescriptor(&c.filter);
  c.expect_refused("a descriptor that was not set");
  cudnnDestroyFilterDescriptor(c.filter);
  c.expect_refused("a descriptor that does not exist");
  EXPECT_NE(cudnnDestroyFilterDescriptor(c.filter), CUDNN_STATUS_SUCCESS);
  c.filter = before;
}

TEST(SimulatedCudnn, RefusesOtherLayoutsAndTypes) {
  SmallConvolution c;
  EXPECT_EQ(cudnnSetTensor4dDescriptor(c.input, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, 2, 2, 4, 4),
            CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(cudnnSetTensor4dDescriptor(c.input, CUDNN_TENSOR_NHWC, CUDNN_DATA_DOUBLE, 2, 2, 4, 4),
            CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(cudnnSetFilter4dDescriptor(c.filter, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 3, 2, 3, 3),
            CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(cudnnSetConvolution2dDescriptor(c.convolution, 1, 1, 1, 1, 1, 1, CUDNN_CONVOLUTION, CUDNN_DATA_FLOAT),
            CUDNN_STATUS_NOT_SUPPORTED);
}

TEST(SimulatedCudnn, RefusesAlgorithmsThatAreNotDeterministic) {
  SmallConvolution c;
  std::size_t bytes = 0;
  EXPECT_EQ(cudnnGetConvolutionBackwardFilterWorkspaceSize(c.handle, c.input, c.output, c.convolution, c.filter,
                                                           CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0, &bytes),
            CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_EQ(cudnnGetConvolutionBackwardDataWorkspaceSize(c.handle, c.filter, c.output, c.convolution, c.input,
                                                         CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, &bytes),
            CUDNN_STATUS_NOT_SUPPORTED);
  EXPECT_NE(cudnnConvolutionBackwardData(c.handle, &c.alpha, c.filter, c.w, c.output, c.y, c.convolution,
                                         CUDNN_CONVOLUTION_BWD_DATA_ALGO_0, c.workspace, c.workspace_bytes, &c.beta,
                                         c.input, c.x),
            CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(last_error(), "simulated cuDNN: an algorithm that is not deterministic");
}

TEST(SimulatedCudnn, RefusesAWorkspaceSmallerThanItSaid) {
  SmallConvolution c;
  ASSERT_EQ(
      cudnnGetConvolutionForwardWorkspaceSize(c.handle, c.input, c.filter, c.convolution, c.output,
                                              CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, &c.workspace_bytes),
      CUDNN_STATUS_SUCCESS);
  EXPECT_EQ(c.forward(), CUDNN_STATUS_SUCCESS) << last_error();
  --c.workspace_bytes;
  c.expect_refused("a workspace smaller than it was said to be");
}

TEST(SimulatedCudnn, RefusesMemoryThatIsNotTheGpusOrOverlapsOrIsMisaligned) {
  SmallConvolution c;
  std::vector<float> on_host(200);
  float* const x = c.x;
  c.x += 1;
  c.expect_refused("an array that does not begin on 16 bytes");
  c.x = c.w + 4;
  c.expect_refused("memory that is not the GPU's");
  c.x = c.y;
  c.expect_refused("arrays that overlap");
  c.x = x;
  float* const w = c.w;
  c.w = reinterpret_cast<float*>((reinterpret_cast<std::uintptr_t>(on_host.data()) + 15) / 16 * 16);
  c.expect_refused("memory that is not the GPU's");
  c.w = w;
  c.beta = 1;
  c.expect_refused("other factors than 1 and 0 are not simulated");
}

TEST(SimulatedCudnn, RefusesAHandleWithoutAStream) {
  SmallConvolution c;
  cudnnSetStream(c.handle, nullptr);
  c.expect_refused("a handle without a stream; the default stream is not simulated");
}

TEST(SimulatedCudnn, RefusesToRecordWhatItHasNotComputedBefore) {
  const SmallConvolution c;
  const auto record = [&] {
    RepeatedWork<Cuda>().run(c.gpu, 0, 0, [&] { ASSERT_EQ(c.forward(), CUDNN_STATUS_SUCCESS); });
  };
  RepeatedWork<Cuda>().run(c.gpu, 0, 0, [&] {
    c.expect_refused(
        "recorded work of shapes that were not computed before: kernels would be loaded while it is recorded");
    cudnnHandle_t more = nullptr;
    EXPECT_NE(cudnnCreate(&more), CUDNN_STATUS_SUCCESS);
  });
  EXPECT_EQ(c.forward(), CUDNN_STATUS_SUCCESS);
  record();
  c.set(c.input, 1, 2, 4, 4), c.set(c.output, 1, 3, 4, 4);
  RepeatedWork<Cuda>().run(c.gpu, 0, 0, [&] { EXPECT_NE(c.forward(), CUDNN_STATUS_SUCCESS); });
}

}  // namespace
}  // namespace sparsepush
