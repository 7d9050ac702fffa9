// Image layers on arrays beyond 2^31 elements: offsets are 64 bits wide. Only what stands at the end is looked at.
#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include "kernels/layers/normalize/normalize.h"
#include "kernels/layers/pool.h"
#include "tests/backends.h"
#include "tests/kernels/large_matrix.h"

namespace sparsepush {
namespace {

/// On the simulated GPU all but the last block can be left out, and memory that nobody writes is none.
template <class Backend>
class LargeImagesOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "takes half a minute";
  }
};
TYPED_TEST_SUITE(LargeImagesOn, BackendsInHostMemory);

/// Samples of one node, of which the last element of the last one counts.
constexpr ImageShape kLargeImage = {1024, 1024, 2};
struct LargeImages : LargeMatrix<float> {
  explicit LargeImages(float last, ImageShape shape = kLargeImage) : LargeMatrix(1025, shape.size()) {
    view().row(view().rows - 1)[view().cols - 1] = last;
  }
  float last() const { return view().row(view().rows - 1)[view().cols - 1]; }
};

TYPED_TEST(LargeImagesOn, Normalize) {
  const NormalizeLayer layer{.shape = kLargeImage, .has_skip = true, .skip = kLargeImage};
  std::vector<float> x(1);
  const std::vector<double> u = {1};
  const LargeImages input(3), skip(2), output(0), output_gradient(7), input_gradient(0);
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    normalize_forward(backend, {.layer = layer,
                                .x = {x.data(), 1, 1},
                                .u = u,
                                .input = input.view(),
                                .skip = skip.view(),
                                .output = output.view(),
                                .saved = {},
                                .statistics = {}});
    normalize_backward(backend, {.layer = layer,
                                 .x = {x.data(), 1, 1},
                                 .u = u,
                                 .input = input.view(),
                                 .output = output.view(),
                                 .saved = {},
                                 .output_gradient = output_gradient.view(),
                                 .skip_gradient = skip.view(),
                                 .skip_shape = kLargeImage,
                                 .gradient = {x.data(), 1, 1},
                                 .input_gradient = input_gradient.view()});
  });
  EXPECT_EQ(output.last(), 5);
  EXPECT_EQ(output_gradient.last(), 9);
  EXPECT_EQ(input_gradient.last(), 9);
}

TYPED_TEST(LargeImagesOn, Pool) {
  const PoolLayer layer{Pool::kMax, kLargeImage};
  const LargeImages input(3), output(0, layer.out_shape()), output_gradient(7, layer.out_shape()), input_gradient(0);
  run_last_blocks<TypeParam>(1, [&](const TypeParam& backend) {
    pool_forward(backend, {.layer = layer, .input = input.view(), .output = output.view()});
    pool_backward(backend, {.layer = layer,
                            .input = input.view(),
                            .output_gradient = output_gradient.view(),
                            .input_gradient = input_gradient.view()});
  });
  EXPECT_EQ(output.last(), 3);
  EXPECT_EQ(input_gradient.last(), 7);
}

}  // namespace
}  // namespace sparsepush
