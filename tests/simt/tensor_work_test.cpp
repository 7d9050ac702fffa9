// What convolutions on tensor cores cost: products, conflicts of banks, bytes copied, launches.
#include <gtest/gtest.h>

#include "kernels/backend/backend.h"
#include "tests/kernels/layers/conv2d/tf32_case.h"
#include "tests/simt/simt.h"

namespace sparsepush {
namespace {

using Shape = Tf32Shape;

/// What a pass did: matrix products, each of 16 x 8 x 8 numbers, turns of their reads beyond the first, bytes copied.
simt::Counts work_of(const auto& body) {
  const simt::Counts before = simt::counts;
  body();
  return {simt::counts.launches - before.launches, simt::counts.products - before.products,
          simt::counts.bank_conflicts - before.bank_conflicts, simt::counts.copied_bytes - before.copied_bytes};
}
/// Of each pass: forward, the weights' gradients, the input's gradient.
struct Work {
  simt::Counts forward, weights, input;
};
Work work_of(const Cuda& gpu, const Conv2dCase& c) {
  const auto input_alone = [&](const simt::Counts& both, const simt::Counts& weights) -> simt::Counts {
    return {both.launches - weights.launches, both.products - weights.products,
            both.bank_conflicts - weights.bank_conflicts, both.copied_bytes - weights.copied_bytes};
  };
  const simt::Counts weights = work_of([&] { backward(gpu, c, false); });
  return {.forward = work_of([&] { forward(gpu, c); }),
          .weights = weights,
          .input = input_alone(work_of([&] { backward(gpu, c); }), weights)};
}

TEST(TensorConvolution, HasAKernelForEveryPassOfTheTestedShapes) {
  const Cuda gpu;
  for (const Shape& shape : tf32_shapes()) {
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    const Work work = work_of(gpu, c);
    EXPECT_GT(work.forward.products, 0u);
    EXPECT_GT(work.weights.products, 0u);
    EXPECT_EQ(work.input.products > 0, shape.channels >= 16);
  }
}

/// ResNet-20's stages and what leads from one to the next.
TEST(TensorConvolution, TakesFewMoreProductsThanThereAreAndNoTurnsForTheirReads) {
  const Cuda gpu;
  for (const Shape& shape : {Shape{32, 32, 16, 16, 1, 1}, Shape{16, 16, 32, 32, 1, 1}, Shape{8, 8, 64, 64, 1, 4},
                             Shape{32, 32, 16, 32, 2, 1}, Shape{16, 16, 32, 64, 2, 2}, Shape{28, 28, 16, 16, 1, 3}}) {
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    const double least = c.rows() * c.layer.out_shape().pixels() * double{9} * shape.channels * shape.out / 1024;
    const Work work = work_of(gpu, c);
    for (const simt::Counts& pass : {work.forward, work.weights, work.input}) {
      EXPECT_GE(pass.products, least);
      EXPECT_LE(pass.products, 1.15 * least);
      EXPECT_TRUE(pass.bank_conflicts == 0 || shape.width == 28) << pass.bank_conflicts;
    }
  }
}

/// Sums of 27 terms take four products, of 9 two; their reads meet in banks.
TEST(TensorConvolution, OfFewChannelsTakesTheFewestProducts) {
  const Cuda gpu;
  for (const Shape& shape : {Shape{32, 32, 3, 16, 1, 1}, Shape{28, 28, 1, 32, 1, 2}}) {
    const Conv2dCase c = case_of(shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    const double least =
        c.rows() * c.layer.out_shape().pixels() * (shape.channels == 3 ? 32.0 : 16.0) * shape.out / 1024;
    const Work work = work_of(gpu, c);
    for (const simt::Counts& pass : {work.forward, work.weights}) {
      EXPECT_GE(static_cast<double>(pass.products), least);
      EXPECT_LE(static_cast<double>(pass.products), 1.15 * least);
      EXPECT_LE(static_cast<double>(pass.bank_conflicts), 4.0 * static_cast<double>(pass.products));
    }
  }
}

TEST(TensorConvolution, LaunchesDoNotGrowWithTheNodes) {
  const Cuda gpu;
  const Work two = work_of(gpu, case_of({8, 8, 16, 16, 1, 1, 2, true}));
  const Work many = work_of(gpu, case_of({8, 8, 16, 16, 1, 1, 64, true}));
  EXPECT_EQ(two.forward.launches, 1u);
  EXPECT_EQ(many.forward.launches, two.forward.launches);
  EXPECT_EQ(many.weights.launches, two.weights.launches);
  EXPECT_EQ(many.input.launches, two.input.launches);
}

/// Arrays are copied once for each block of 32 channels of the other side, with the lines above and below a tile.
/// Weights are copied once for each of a block's buffers, or tile by tile where they do not fit in.
TEST(TensorConvolution, CopiesArraysWithTheirHalosAndWeightsOnce) {
  const Cuda gpu;
  struct Layer {
    Shape shape;
    double lines, lines_for_weights;  ///< that are read for each line of an image
    int weights;                      ///< times that all weights are read
  };
  const int blocks = 3 * simt::multiprocessors;
  for (const Layer& l : {Layer{{32, 32, 16, 16, 1, 6}, 38.0 / 32, 46.0 / 32, 2 * blocks},
                         Layer{{16, 16, 32, 32, 1, 6}, 1, 18.0 / 16, 6}, Layer{{8, 8, 64, 64, 1, 12}, 1, 1, 3}}) {
    const Conv2dCase c = case_of(l.shape);
    SCOPED_TRACE(testing::Message() << c.shape);
    const double input_bytes = 4.0 * static_cast<double>(c.input.size()), weight_bytes = 4.0 * c.weights();
    const int others = (l.shape.out + 31) / 32;  // blocks of channels on either side, which are equally many
    const double data = others * l.lines * input_bytes + l.weights * weight_bytes;
    const double weights = others * (l.lines_for_weights + 1) * input_bytes;
    const Work work = work_of(gpu, c);
    EXPECT_LE(static_cast<double>(work.forward.copied_bytes), 1.1 * data);
    EXPECT_LE(static_cast<double>(work.input.copied_bytes), 1.1 * data);
    EXPECT_LE(static_cast<double>(work.weights.copied_bytes), 1.1 * weights);
  }
}

}  // namespace
}  // namespace sparsepush
