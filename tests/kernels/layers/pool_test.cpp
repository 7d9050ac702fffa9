#include "kernels/layers/pool.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels/backend/buffer.h"
#include "tests/backends.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();

struct Case {
  Case(Pool pool, ImageShape in, int samples) : layer{pool, in}, samples(samples) {
    for (int i = 0; i < samples * in.size(); ++i) input.push_back(std::round(4 * std::sin(1.3f * i)) / 4);  // with ties
    for (int i = 0; i < samples * out(); ++i) output_gradient.push_back(std::cos(0.7f * i));
  }
  int out() const { return layer.out_shape().size(); }

  /// run(PoolForward) calls the op.
  template <class Backend, class Run>
  std::vector<float> forward(const Backend& backend, const Run& run) const {
    const Buffer<Backend, float> from(backend, samples, layer.in.size(), input);
    const Buffer<Backend, float> output(backend, samples, out(), std::vector<float>(samples * out(), 77));
    run(PoolForward{.layer = layer, .input = from.view(), .output = output.view()});
    return output.to_host();
  }
  template <class Backend, class Run>
  std::vector<float> backward(const Backend& backend, const Run& run) const {
    const Buffer<Backend, float> from(backend, samples, layer.in.size(), input);
    const Buffer<Backend, float> outputs(backend, samples, out(), output_gradient);
    const Buffer<Backend, float> inputs(backend, samples, layer.in.size(), std::vector<float>(input.size(), 66));
    run(PoolBackward{
        .layer = layer, .input = from.view(), .output_gradient = outputs.view(), .input_gradient = inputs.view()});
    return inputs.to_host();
  }

  PoolLayer layer;
  int samples;
  std::vector<float> input, output_gradient;
};

template <class Backend>
std::vector<float> forward(const Backend& backend, const Case& c) {
  return c.forward(backend, [&](const PoolForward& f) { pool_forward(backend, f); });
}
template <class Backend>
std::vector<float> backward(const Backend& backend, const Case& c) {
  return c.backward(backend, [&](const PoolBackward& b) { pool_backward(backend, b); });
}

struct Expected {
  std::vector<float> output, input_gradient;
};

int element(const ImageShape& shape, int y, int x, int c) { return (y * shape.width + x) * shape.channels + c; }

void expect_maximum(const Case& c, int s, Expected& e) {
  const ImageShape &in = c.layer.in, out = c.layer.out_shape();
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int k = 0; k < out.channels; ++k) {
        int taken = -1;
        for (int dy = 0; dy < 2; ++dy)
          for (int dx = 0; dx < 2; ++dx) {
            const int i = s * in.size() + element(in, 2 * y + dy, 2 * x + dx, k);
            const bool better =
                taken < 0 || (!std::isnan(c.input[taken]) && (std::isnan(c.input[i]) || c.input[i] > c.input[taken]));
            if (better) taken = i;
          }
        const int o = s * out.size() + element(out, y, x, k);
        e.output[o] = c.input[taken];
        e.input_gradient[taken] = c.output_gradient[o];
      }
}

void expect_average(const Case& c, int s, Expected& e) {
  const ImageShape& in = c.layer.in;
  const auto share = static_cast<float>(1.0 / in.pixels());
  for (int k = 0; k < in.channels; ++k) {
    const int o = s * in.channels + k;
    float sum = 0;
    for (int p = 0; p < in.pixels(); ++p) {
      sum += c.input[s * in.size() + p * in.channels + k];
      e.input_gradient[s * in.size() + p * in.channels + k] = c.output_gradient[o] * share;
    }
    e.output[o] = sum * share;
  }
}

void expect_flat(const Case& c, int s, Expected& e) {
  const ImageShape& in = c.layer.in;
  int next = s * in.size();
  for (int k = 0; k < in.channels; ++k)
    for (int y = 0; y < in.height; ++y)
      for (int x = 0; x < in.width; ++x, ++next) {
        e.output[next] = c.input[s * in.size() + element(in, y, x, k)];
        e.input_gradient[s * in.size() + element(in, y, x, k)] = c.output_gradient[next];
      }
}

/// The definitions.
Expected expected(const Case& c) {
  Expected e{std::vector<float>(c.output_gradient.size()), std::vector<float>(c.input.size())};
  for (int s = 0; s < c.samples; ++s) {
    if (c.layer.pool == Pool::kMax) expect_maximum(c, s, e);
    if (c.layer.pool == Pool::kAverage) expect_average(c, s, e);
    if (c.layer.pool == Pool::kFlatten) expect_flat(c, s, e);
  }
  return e;
}

std::vector<Case> cases() {
  std::vector<Case> result;
  for (const Pool pool : {Pool::kMax, Pool::kAverage, Pool::kFlatten})
    for (const int channels : {1, 2, 3, 4, 6, 7, 16, 17, 64})
      for (const int samples : {1, 2, 5})
        for (const auto& [height, width] : {std::pair{2, 2}, {2, 3}, {3, 2}, {5, 7}, {8, 6}})
          result.emplace_back(pool, ImageShape{height, width, channels}, samples);
  result.emplace_back(Pool::kAverage, ImageShape{1, 1, 5}, 2);
  result.emplace_back(Pool::kFlatten, ImageShape{1, 1, 512}, 2);
  for (const Pool pool : {Pool::kMax, Pool::kAverage, Pool::kFlatten})  // more than a block takes at once
    for (const ImageShape& large : {ImageShape{24, 23, 64}, {2, 2, 1029}}) result.emplace_back(pool, large, 2);
  return result;
}

template <class Backend>
class PoolOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(PoolOn, Backends);

TYPED_TEST(PoolOn, IsTheDefinition) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << static_cast<int>(c.layer.pool) << " of " << c.layer.in.height << " x "
                                    << c.layer.in.width << " x " << c.layer.in.channels << ", " << c.samples);
    const Expected e = expected(c);
    for_each_way_to_run<TypeParam>([&](const TypeParam& backend) {
      EXPECT_TRUE(same_values(forward(backend, c), e.output));
      EXPECT_TRUE(same_values(backward(backend, c), e.input_gradient));
    });
  }
}

/// All squares of four hard values, in all channels, of which 4, 2 and 1 are taken together.
TYPED_TEST(PoolOn, OfHardValuesTheFirstLargestIsTaken) {
  const float hard[] = {kNan, kInfinity, -kInfinity, 0.0f, -0.0f, 1e-45f, -3e38f};
  constexpr int kValues = 7, kSquares = kValues * kValues * kValues * kValues;
  for (const int channels : {7, 8}) {
    Case c(Pool::kMax, {2, 2, channels}, kSquares);
    for (int s = 0; s < kSquares; ++s)
      for (int k = 0; k < channels; ++k)
        for (int p = 0, rest = (s + 11 * k) % kSquares; p < 4; ++p, rest /= kValues)
          c.input[(s * 4 + p) * channels + k] = hard[rest % kValues];
    const Expected e = expected(c);
    EXPECT_TRUE(same_values(forward(tested_backend<TypeParam>(), c), e.output));
    EXPECT_TRUE(same_values(backward(tested_backend<TypeParam>(), c), e.input_gradient));
  }
}

TYPED_TEST(PoolOn, AveragesPassOnWhatIsNotFinite) {
  for (const float bad : {kNan, kInfinity}) {
    Case c(Pool::kAverage, {3, 3, 6}, 2);
    c.input[7] = bad;
    const std::vector<float> output = forward(tested_backend<TypeParam>(), c);
    for (int i = 0; i < 12; ++i) EXPECT_EQ(std::isfinite(output[i]), i != 1) << i;
  }
}

TYPED_TEST(PoolOn, FourChannelsBeginOnSixteenBytes) {
  if (std::is_same_v<TypeParam, Cpu>) GTEST_SKIP() << "the Cpu takes them anywhere";
  const auto expect_refused = [](const Case& c, auto change) {
    const TypeParam backend = tested_backend<TypeParam>();
    c.forward(backend, [&](PoolForward f) {
      EXPECT_NO_THROW(pool_forward(backend, f));
      change(f);
      EXPECT_THROW(pool_forward(backend, f), std::invalid_argument);
    });
    c.backward(backend, [&](PoolBackward b) {
      EXPECT_NO_THROW(pool_backward(backend, b));
      change(b);
      EXPECT_THROW(pool_backward(backend, b), std::invalid_argument);
    });
  };
  for (const Pool pool : {Pool::kMax, Pool::kAverage}) {
    const Case c(pool, {2, 2, 4}, 1);
    expect_refused(c, [](auto& p) { ++p.input.data; });
    expect_refused(c, [](auto& p) {
      if constexpr (std::is_same_v<decltype(p), PoolForward&>)
        ++p.output.data;
      else
        ++p.output_gradient.data;
    });
    c.backward(tested_backend<TypeParam>(), [](PoolBackward b) {
      ++b.input_gradient.data;
      EXPECT_THROW(pool_backward(tested_backend<TypeParam>(), b), std::invalid_argument);
    });
  }
}

TEST(Pool, RefusesShapesThatDoNotFit) {
  const auto expect_refused = [](const Case& c, auto change) {
    c.forward(tested_cpu(1), [&](PoolForward f) {
      change(f);
      EXPECT_THROW(pool_forward(tested_cpu(1), f), std::invalid_argument);
    });
    c.backward(tested_cpu(1), [&](PoolBackward b) {
      change(b);
      EXPECT_THROW(pool_backward(tested_cpu(1), b), std::invalid_argument);
    });
  };
  const Case good(Pool::kMax, {4, 5, 3}, 2);
  expect_refused(good, [](auto& p) { p.layer.in.height = 1; });
  expect_refused(good, [](auto& p) { p.layer.in.channels = 0; });
  expect_refused(good, [](auto& p) { p.input.rows = 3; });
  expect_refused(good, [](auto& p) { p.input.cols = 59; });
  expect_refused(good, [](auto& p) { p.input.rows = 0; });
  expect_refused(good, [](auto& p) { p.layer.pool = Pool::kAverage; });
  expect_refused(good, [](auto& p) { p.layer.pool = Pool::kFlatten; });
  good.backward(tested_cpu(1), [](PoolBackward b) {
    b.input_gradient.cols = 18;
    EXPECT_THROW(pool_backward(tested_cpu(1), b), std::invalid_argument);
    b.input_gradient = {};
    EXPECT_THROW(pool_backward(tested_cpu(1), b), std::invalid_argument);
  });
}

}  // namespace
}  // namespace sparsepush
