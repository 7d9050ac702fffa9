// Batch normalization that leaves terms in the place of its output.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include "kernels/layers/norm_on_load.h"
#include "tests/backends.h"
#include "tests/kernels/layers/normalize/normalize_case.h"
#include "tests/same_values.h"

namespace sparsepush {
namespace {

int columns_of(const NormalizeCase& c) { return NormOnLoad::kNumbers * c.layer.shape.channels + 4; }

struct WithTerms {
  NormalizeCase::Forward forward;
  std::vector<float> terms;  ///< [nodes, columns_of(c)]
};

template <class Backend>
WithTerms forward_with_terms(const Backend& backend, const NormalizeCase& c, bool wants_output) {
  const int columns = columns_of(c);
  const Buffer<Backend, float> terms(backend, c.nodes, columns, std::vector<float>(c.nodes * columns, 55));
  WithTerms result;
  result.forward = c.forward(backend, [&](NormalizeForward f) {
    f.terms = terms.view();
    if (!wants_output) f.output.data = nullptr;
    normalize_forward(backend, f);
  });
  result.terms = terms.to_host();
  return result;
}

std::vector<NormalizeCase> cases() {
  std::vector<NormalizeCase> all;
  for (const int channels : {1, 6, 16, 17, 64, 300})
    for (const bool relu : {false, true}) all.emplace_back(Norm::kBatch, ImageShape{9, 11, channels}, 1, 2, 3, relu);
  all.emplace_back(Norm::kBatch, ImageShape{3, 3, 16}, 1, 1, 60);
  return all;
}

template <class Backend>
class NormTermsOn : public BackendTest<Backend> {
 protected:
  void SetUp() override {
    if (std::is_same_v<Backend, Cpu>) GTEST_SKIP() << "a Cpu leaves none";
    BackendTest<Backend>::SetUp();
  }
};
TYPED_TEST_SUITE(NormTermsOn, Backends);

/// In training, and by running statistics.
TYPED_TEST(NormTermsOn, MakeTheOutputOfTheInputToTheBit) {
  for (NormalizeCase c : cases())
    for (const bool training : {true, false}) {
      c.training = training;
      SCOPED_TRACE(c.name() + (training ? "" : ", running"));
      const NormalizeCase::Forward wanted = forward(tested_backend<TypeParam>(), c);
      const WithTerms both = forward_with_terms(tested_backend<TypeParam>(), c, true);
      const WithTerms alone = forward_with_terms(tested_backend<TypeParam>(), c, false);
      EXPECT_TRUE(same_values(both.forward.output, wanted.output));
      EXPECT_TRUE(same_values(both.terms, alone.terms));
      EXPECT_TRUE(same_values(alone.forward.saved, wanted.saved));
      EXPECT_TRUE(same_values(alone.forward.statistics, wanted.statistics));
      EXPECT_EQ(alone.forward.output, std::vector<float>(wanted.output.size(), 77)) << "not written";
      const int channels = c.layer.shape.channels;
      std::vector<float> made;
      for (int i = 0; i < static_cast<int>(c.input.size()); ++i) {
        const float* of_node = alone.terms.data() + i / c.node_size() * columns_of(c);
        const float* terms = of_node + i % channels;
        EXPECT_EQ(of_node[3 * channels], 55) << "beyond the terms";
        const float difference = c.input[i] - terms[0], scaled = difference * terms[channels];
        const float h = scaled + terms[2 * channels];
        made.push_back(c.layer.relu && h < 0 ? 0 : h);
      }
      EXPECT_TRUE(same_values(made, wanted.output));
    }
}

TYPED_TEST(NormTermsOn, AreRefusedIfTheyDoNotFit) {
  const TypeParam backend = tested_backend<TypeParam>();
  const auto expect_refused = [&](const NormalizeCase& c, const auto& change) {
    const Buffer<TypeParam, float> terms(backend, c.nodes, columns_of(c));
    c.forward(backend, [&](NormalizeForward f) {
      f.terms = terms.view();
      change(f);
      EXPECT_THROW(normalize_forward(backend, f), std::invalid_argument);
    });
  };
  const NormalizeCase c(Norm::kBatch, {3, 2, 4}, 1, 2, 2);
  expect_refused(c, [](auto& f) { f.terms.rows = 1; });
  expect_refused(c, [](auto& f) { f.terms.cols -= 1; });
  expect_refused(c, [](auto& f) { f.terms.cols -= 8; });
  expect_refused(c, [](auto& f) { f.output.data = nullptr, f.terms.data = nullptr; });
  expect_refused(NormalizeCase(Norm::kGroup, {3, 2, 4}, 2, 2, 2), [](auto&) {});
  expect_refused(NormalizeCase(Norm::kBatch, {3, 2, 4}, 1, 2, 2, true, Shortcut::kIdentity), [](auto&) {});
}

}  // namespace
}  // namespace sparsepush
