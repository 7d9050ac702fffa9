// Convolutions by cuDNN, on a GPU that has it or with its stand-in on the simulated one.
#include "kernels/layers/conv2d/cudnn_convolution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/backend/repeated_work.h"
#include "kernels/layers/conv2d/tensor_tiles.h"
#include "tests/backends.h"
#include "tests/kernels/layers/conv2d/conv2d_case.h"
#include "tests/kernels/layers/conv2d/conv2d_oracle.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

Conv2dCase by_cudnn(const Conv2dShape& shape, Precision precision = Precision::kFp32) {
  Conv2dCase c(shape);
  c.layer.code = ConvolutionCode::kCudnn;
  c.layer.precision = precision;
  return c;
}

template <class Backend>
class CudnnConvolutionOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    BackendTest<Backend>::SetUp();
    if (!this->IsSkipped() && !cudnn_problem().empty()) GTEST_SKIP() << cudnn_problem();
  }
};
TYPED_TEST_SUITE(CudnnConvolutionOn, testing::Types<Cuda>);

/// Also of nodes whose images do not begin on 16 bytes, and without a bias. On a GPU of shapes that networks may have:
/// cuDNN need not take more padding than a kernel has, and loads kernels for every shape.
TYPED_TEST(CudnnConvolutionOn, IsTheConvolutionAndItsGradientWithinTheBoundOfFp32) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const Conv2dShape& shape : kSimulatedCuda ? shapes() : chosen_shapes()) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c = by_cudnn(shape);
    Conv2d<TypeParam> conv(backend, c.layer, shape.nodes, shape.samples);
    expect_the_convolution(c, forward(backend, conv, c));
    expect_the_gradients(c, backward(backend, conv, c));
  }
}

/// As those of our own kernels do; so both are within the sum of their bounds of each other.
TYPED_TEST(CudnnConvolutionOn, DoesNotDependOnHowItIsRun) {
  for (const Conv2dShape& shape : {Conv2dShape{5, 4, 3, 6, 5, 1, 2, 3, 2}, Conv2dShape{3, 3, 17, 33, 3, 2, 1, 3, 3}}) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c = by_cudnn(shape);
    const auto check = [&](const TypeParam& backend) {
      expect_the_convolution(c, forward(backend, c));
      expect_the_gradients(c, backward(backend, c));
    };
    for_each_way_to_run<TypeParam>(check);
    for_each_stream_order<TypeParam>([&] { check(tested_backend<TypeParam>()); });
  }
}

TYPED_TEST(CudnnConvolutionOn, ANodesBitsDoNotDependOnTheOtherNodesOfACall) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const Conv2dShape& shape : {Conv2dShape{3, 4, 17, 16, 3, 2, 1, 10, 3}, Conv2dShape{7, 5, 3, 5, 5, 1, 2, 3, 4},
                                   Conv2dShape{8, 8, 16, 16, 3, 1, 1, 4, 3}}) {
    SCOPED_TRACE(testing::Message() << shape);
    const Conv2dCase c = by_cudnn(shape, Precision::kTf32);
    const std::vector<float> outputs = forward(backend, c);
    const Conv2dGradients gradients = backward(backend, c);
    const auto part = [&](const std::vector<float>& all, int node) {
      const auto size = std::ssize(all) / shape.nodes;
      return std::vector<float>(all.begin() + node * size, all.begin() + (node + 1) * size);
    };
    for (int node = 0; node < shape.nodes; ++node) {
      const Conv2dCase one = c.of_node(node);
      EXPECT_TRUE(same_values(forward(backend, one), part(outputs, node)));
      const Conv2dGradients of_one = backward(backend, one);
      EXPECT_TRUE(same_values(of_one.row, part(gradients.row, node)));
      EXPECT_TRUE(same_values(of_one.input, part(gradients.input, node)));
    }
  }
}

/// Fewer samples may want more memory to work in.
TYPED_TEST(CudnnConvolutionOn, CallsOfOneObjectDoNotDependOnEachOther) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (Conv2dShape shape : {Conv2dShape{6, 6, 17, 33, 3, 1, 1}, Conv2dShape{5, 5, 3, 7, 5, 1, 2}}) {
    SCOPED_TRACE(testing::Message() << shape);
    Conv2d<TypeParam> conv(backend, by_cudnn(shape).layer, 3, 8);
    for (const int samples : {2, 7, 1, 8, 2})
      for (const int nodes : {1, 3}) {
        shape.samples = samples;
        shape.nodes = nodes;
        const Conv2dCase c = by_cudnn(shape);
        Conv2d<TypeParam> fresh(backend, c.layer, nodes, samples);
        const Conv2dGradients reused = backward(backend, conv, c), expected = backward(backend, fresh, c);
        EXPECT_TRUE(same_values(reused.row, expected.row));
        EXPECT_TRUE(same_values(reused.input, expected.input));
        EXPECT_TRUE(same_values(forward(backend, conv, c), forward(backend, fresh, c)));
      }
  }
}

constexpr SumBound kTf32Bound{.fixed = 0x1p-9, .each = 0x1p-22};

TYPED_TEST(CudnnConvolutionOn, OnlyThreeByThreeKernelsAreInTf32) {
  const TypeParam backend = tested_backend<TypeParam>();
  for (const int kernel : {1, 3, 5}) {
    const Conv2dShape shape{8, 8, 16, 16, kernel, 1, kernel / 2, 2, 2};
    const Conv2dCase exact = by_cudnn(shape), rounded = by_cudnn(shape, Precision::kTf32);
    const std::vector<float> outputs = forward(backend, exact), in_tf32 = forward(backend, rounded);
    const Conv2dGradients gradients = backward(backend, exact), of_tf32 = backward(backend, rounded);
    if (kernel != 3) {
      EXPECT_TRUE(same_values(in_tf32, outputs));
      EXPECT_TRUE(same_values(of_tf32.row, gradients.row));
      EXPECT_TRUE(same_values(of_tf32.input, gradients.input));
      continue;
    }
    expect_the_convolution(rounded, in_tf32, kTf32Bound);
    expect_the_gradients(rounded, of_tf32, kTf32Bound);
    if (!kSimulatedCuda) continue;  // cuDNN may as well not round
    EXPECT_FALSE(same_values(in_tf32, outputs));
    EXPECT_FALSE(same_values(of_tf32.row, gradients.row));
    EXPECT_FALSE(same_values(of_tf32.input, gradients.input));
  }
}

TYPED_TEST(CudnnConvolutionOn, ParametersAreRoundedAtZ) {
  Conv2dCase c = by_cudnn({1, 1, 1, 17, 1, 1, 0, 1, 3, false});
  c.input.assign(3, 1);
  const std::vector<float> output = forward(tested_backend<TypeParam>(), c);
  for (int i = 0; i < 3 * 17; ++i) EXPECT_EQ(output[i], c.z(i / 17, c.layer.weight + i % 17)) << i;
  c = by_cudnn({1, 1, 1, 17, 1, 1, 0, 1, 3});
  c.input.assign(3, 0);
  const std::vector<float> biases = forward(tested_backend<TypeParam>(), c);
  for (int i = 0; i < 3 * 17; ++i) EXPECT_EQ(biases[i], c.z(i / 17, c.layer.bias + i % 17)) << i;
}

TYPED_TEST(CudnnConvolutionOn, BackwardOfTheFirstLayerNeedsNoInputGradient) {
  const Conv2dCase c = by_cudnn({5, 5, 3, 17, 3, 1, 1, 2, 3});
  const Conv2dGradients without = backward(tested_backend<TypeParam>(), c, false);
  EXPECT_EQ(without.row, backward(tested_backend<TypeParam>(), c).row);
  for (const float v : without.input) EXPECT_TRUE(std::isnan(v)) << "not touched";
}

/// What a layer reads and writes, in memory that recorded work knows.
struct Arrays {
  Arrays(const Cuda& gpu, const Conv2dCase& c)
      : x(gpu, c.shape.nodes, c.row),
        input(gpu, c.rows(), c.layer.in.size()),
        output_gradient(gpu, c.rows(), c.layer.out_shape().size()),
        output(gpu, c.rows(), c.layer.out_shape().size()),
        gradient(gpu, c.shape.nodes, c.row),
        input_gradient(gpu, c.rows(), c.layer.in.size()),
        u(gpu, c.u) {}

  void assign(const Conv2dCase& c) {
    x.assign(c.x), input.assign(c.input), output_gradient.assign(c.output_gradient);
    gradient.assign(std::vector<float>(c.x.size(), kUntouched));
  }
  void compute(const Cuda& gpu, Conv2d<Cuda>& conv) const {
    conv.forward(gpu, {.x = x.view(), .u = u.span(), .input = input.view(), .output = output.view()});
    conv.backward(gpu, {.x = x.view(),
                        .u = u.span(),
                        .input = input.view(),
                        .output_gradient = output_gradient.view(),
                        .gradient = gradient.view(),
                        .input_gradient = input_gradient.view()});
  }

  Buffer<Cuda, float> x, input, output_gradient, output, gradient, input_gradient;
  Buffer<Cuda, double> u;
};

/// Of fewer samples than it is made for, once these are prepared.
TYPED_TEST(CudnnConvolutionOn, ARecordedCallIsReplayedWithWhatIsThenInItsArrays) {
  const TypeParam gpu = tested_backend<TypeParam>();
  for (const Conv2dShape& shape : {Conv2dShape{8, 8, 3, 16, 3, 1, 1, 3, 2}, Conv2dShape{5, 5, 3, 7, 3, 2, 1, 3, 3}}) {
    SCOPED_TRACE(testing::Message() << shape);
    Conv2dCase c = by_cudnn(shape);
    Conv2d<Cuda> conv(gpu, c.layer, shape.nodes, 4);
    conv.prepare(gpu, shape.samples);
    Arrays arrays(gpu, c);
    RepeatedWork<Cuda> work;
    for (int step = 0; step < 3; ++step) {
      for (float& value : c.input) value = 1 - value * value;
      for (float& value : c.x) value *= -0.75f;
      arrays.assign(c);
      work.run(gpu, 0, step, [&] { arrays.compute(gpu, conv); });
      expect_the_convolution(c, arrays.output.to_host());
      expect_the_gradients(c, {arrays.gradient.to_host(), arrays.input_gradient.to_host()});
    }
  }
}

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "none";
}
void expect_contains(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text;
}

TYPED_TEST(CudnnConvolutionOn, RefusesMoreThanItWasMadeForAndImagesOfOddAddresses) {
  const TypeParam gpu = tested_backend<TypeParam>();
  const Conv2dCase c = by_cudnn({4, 4, 3, 8, 3, 1, 1, 2, 2});
  for (const auto& [nodes, samples] : {std::pair{1, 2}, std::pair{2, 1}}) {
    Conv2d<Cuda> conv(gpu, c.layer, nodes, samples);
    expect_contains(error_of([&] { forward(gpu, conv, c); }), "nodes 2, samples of each 2");
    expect_contains(error_of([&] { backward(gpu, conv, c); }), "nodes 2, samples of each 2");
  }
  Conv2d<Cuda> conv(gpu, c.layer, 2, 2);
  const Buffer<Cuda, float> many(gpu, 5, 4 * c.layer.in.size() + 4);
  const Buffer<Cuda, float> x(gpu, 2, c.row), output(gpu, 4, c.layer.out_shape().size());
  const Buffer<Cuda, double> u(gpu, c.u);
  const MatrixView<float> shifted{many.view().data + 1, 4, c.layer.in.size()};
  expect_contains(
      error_of([&] { conv.forward(gpu, {.x = x.view(), .u = u.span(), .input = shifted, .output = output.view()}); }),
      "do not begin on 16 bytes");
  const TypeParam other;
  expect_contains(error_of([&] { forward(other, conv, c); }), "another stream");
}

TEST(CudnnConvolution, FusesNothing) {
  Conv2dLayer layer{.in = {32, 32, 16}, .out = 16, .precision = Precision::kTf32};
  EXPECT_TRUE(moment_tiles(layer, 4).count > 0 && norm_gradient_tiles(layer, 4) > 0 && can_normalize_on_load(layer, 4));
  layer.code = ConvolutionCode::kCudnn;
  EXPECT_TRUE(moment_tiles(layer, 4).count == 0 && norm_gradient_tiles(layer, 4) == 0);
  EXPECT_FALSE(can_normalize_on_load(layer, 4));
  layer.in.channels = 3;
  EXPECT_EQ(moment_tiles(layer, 4).count, 0);
}

TEST(CudnnConvolution, PlansTheSameForEveryNodeBesideCopiesAndTheRoom) {
  const Conv2dLayer layer{.in = {32, 32, 3}, .out = 5, .code = ConvolutionCode::kCudnn};
  const std::int64_t one = Conv2d<Cuda>::bytes(layer, 1, 7), two = Conv2d<Cuda>::bytes(layer, 2, 7);
  EXPECT_EQ(two - one, 4 * 136) << "135 weights, on 16 bytes";
  EXPECT_EQ(Conv2d<Cuda>::bytes(layer, 11, 7), one + 10 * (two - one));
  EXPECT_EQ(one, 4 * 136) << "images of 3072 and 5120 floats are on 16 bytes";
  Conv2dLayer odd = layer;
  odd.in = {5, 5, 3};
  EXPECT_EQ(Conv2d<Cuda>::bytes(odd, 1, 7), 4 * (136 + 7 * (75 + 125))) << "copies of a node's images";
  EXPECT_GE(Conv2d<Cuda>::room_bytes(layer, 7), 2 * 4 * 7 * (3072 + 5120));
  EXPECT_EQ(Conv2d<Cuda>::room_bytes({.in = {32, 32, 3}, .out = 5}, 7), 0) << "our own kernels want none";
}

#if SPARSEPUSH_SIMULATED_CUDA
TEST(CudnnConvolution, HoldsWhatIsPlannedForAnyNumberOfSamples) {
  const Cuda gpu;
  const auto held = [before = static_cast<std::int64_t>(simt::device_bytes())] {
    return static_cast<std::int64_t>(simt::device_bytes()) - before;
  };
  constexpr std::int64_t kNothing = 4;  // bytes of memory of no bytes, of which there is no less than one
  for (const Conv2dShape& shape : {Conv2dShape{5, 5, 3, 7, 3, 1, 1}, Conv2dShape{8, 8, 16, 16, 3, 1, 1}})
    for (const int nodes : {1, 3}) {
      const Conv2dLayer layer = by_cudnn(shape).layer;
      const std::int64_t planned = Conv2d<Cuda>::bytes(layer, nodes, 9), room = Conv2d<Cuda>::room_bytes(layer, 9);
      Conv2d<Cuda> conv(gpu, layer, nodes, 9);
      for (const int samples : {9, 8, 7}) {
        conv.prepare(gpu, samples);
        EXPECT_NEAR(held(), planned + room, kNothing);
      }
    }
  ConvolutionRoom<Cuda> room(gpu);
  const Conv2dLayer large = by_cudnn({8, 8, 16, 16, 3, 1, 1}).layer, small = by_cudnn({4, 4, 3, 8, 3, 1, 1}).layer;
  const Conv2d<Cuda> first(gpu, large, 2, 9, room);
  const std::int64_t before = held();
  const Conv2d<Cuda> second(gpu, small, 2, 9, room);
  EXPECT_NEAR(held() - before, Conv2d<Cuda>::bytes(small, 2, 9), kNothing) << "it works where the first one does";
}

TEST(CudnnConvolution, ErrorsNameTheCallTheLayerAndWhatCudnnSays) {
  const Cuda gpu;
  const Conv2dCase c = by_cudnn({8, 8, 3, 16, 3, 1, 1, 4, 2});
  Conv2d<Cuda> conv(gpu, c.layer, 2, 4);
  const Arrays arrays(gpu, c);
  const std::string error = error_of([&] { RepeatedWork<Cuda>().run(gpu, 0, 0, [&] { arrays.compute(gpu, conv); }); });
  expect_contains(error,
                  "cudnnConvolutionForward for the convolution of 8 x 8 x 3 to 16 channels, kernel 3 x 3, stride 1, "
                  "padding 1: bad parameter (simulated): simulated cuDNN: recorded work of shapes");
}
#endif

}  // namespace
}  // namespace sparsepush
