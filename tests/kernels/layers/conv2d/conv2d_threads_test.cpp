// Convolutions compute on the thread that calls them.
#include <gtest/gtest.h>
#include <omp.h>

#include <filesystem>
#include <iterator>

#include "tests/kernels/layers/conv2d/conv2d_case.h"
#include "tests/same_values.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

/// What a pass over all nodes computes, one node at a time on the threads of a pool.
struct Pass {
  Pass(const Cpu& cpu, const Conv2dCase& c)
      : output(c.rows() * c.layer.out_shape().size()), row(c.x.size()), input(c.input.size()) {
    const int nodes = c.shape.nodes, samples = c.shape.samples;
    std::vector<Conv2d<Cpu>> convs;
    for (int worker = 0; worker < cpu.threads(); ++worker) convs.emplace_back(cpu, c.layer, 1, samples);
    const MatrixView<const float> x{c.x.data(), nodes, c.row}, in{c.input.data(), c.rows(), c.layer.in.size()};
    const MatrixView<const float> dy{c.output_gradient.data(), c.rows(), c.layer.out_shape().size()};
    const MatrixView<float> y{output.data(), c.rows(), dy.cols}, gradient{row.data(), nodes, c.row};
    const MatrixView<float> dx{input.data(), c.rows(), in.cols};
    cpu.pool().run(nodes, [&](std::int64_t item, int worker) {
      const int node = static_cast<int>(item), first = node * samples;
      const auto u = std::span(c.u).subspan(node, 1);
      convs[worker].forward(cpu, {.x = x.rows_from(node, 1),
                                  .u = u,
                                  .input = in.rows_from(first, samples),
                                  .output = y.rows_from(first, samples)});
      convs[worker].backward(cpu, {.x = x.rows_from(node, 1),
                                   .u = u,
                                   .input = in.rows_from(first, samples),
                                   .output_gradient = dy.rows_from(first, samples),
                                   .gradient = gradient.rows_from(node, 1),
                                   .input_gradient = dx.rows_from(first, samples)});
    });
  }
  std::vector<float> output, row, input;
};

TEST(Conv2dThreads, SameBitsOnAnyNumberOfThreads) {
  for (const Conv2dShape& shape :
       {Conv2dShape{16, 16, 16, 32, 3, 2, 1, 7, 13}, Conv2dShape{4, 4, 64, 64, 3, 1, 1, 2, 13},
        Conv2dShape{14, 14, 6, 16, 5, 1, 0, 2, 13}, Conv2dShape{8, 8, 3, 6, 5, 1, 0, 2, 13}}) {
    const Conv2dCase c(shape);
    const Pass one(tested_cpu(1), c), four(tested_cpu(4), c);
    EXPECT_TRUE(same_values(four.output, one.output));
    EXPECT_TRUE(same_values(four.row, one.row));
    EXPECT_TRUE(same_values(four.input, one.input));
    EXPECT_TRUE(same_values(forward(tested_cpu(1), c), one.output)) << "all nodes in one call";
  }
}

int threads_of_process() {
  using std::filesystem::directory_iterator;
  return static_cast<int>(std::distance(directory_iterator("/proc/self/task"), directory_iterator()));
}

TEST(Conv2dThreads, ComputesOnTheCallingThreadEvenIfOpenMPHasMore) {
  const Conv2dCase c({32, 32, 16, 32, 3, 1, 1, 32});
  const Cpu cpu = tested_cpu(1);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const Pass one(cpu, c);
  omp_set_num_threads(3);
  const int threads = threads_of_process();
  const Pass three(cpu, c);
  EXPECT_EQ(threads_of_process(), threads);
  EXPECT_EQ(omp_get_max_threads(), 3) << "the caller's setting";
  omp_set_num_threads(before);
  EXPECT_TRUE(same_values(three.output, one.output));
  EXPECT_TRUE(same_values(three.row, one.row));
  EXPECT_TRUE(same_values(three.input, one.input));
}

}  // namespace
}  // namespace sparsepush
