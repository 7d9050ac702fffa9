#include "kernels/messages/topk/verify_selection.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/messages/topk/topk_select.h"
#include "tests/backends.h"

namespace sparsepush {
namespace {

template <class Backend>
class VerifySelectionOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(VerifySelectionOn, Backends);

/// What a selection leaves in host memory, to be tampered with.
struct Outcome {
  std::vector<float> error;            ///< [nodes, row]
  std::vector<std::int32_t> position;  ///< [nodes, entries]
  std::vector<float> value;            ///< [nodes, entries]
};

/// A selection on `backend`, then its verification with what `tamper` makes of it; returns the error's text, or "".
template <class Backend>
std::string verdict(const Backend& backend, const RowLayout& layout, const std::vector<TopkPlan>& plans,
                    const std::vector<float>& v, const std::function<void(Outcome&)>& tamper) {
  const int row = static_cast<int>(layout.row), nodes = static_cast<int>(v.size()) / row;
  int entries = 0;
  for (const TopkPlan& plan : plans) entries = std::max(entries, static_cast<int>(plan.entries));
  Buffer<Backend, float> error(backend, nodes, row, v), value(backend, nodes, entries);
  Buffer<Backend, std::int32_t> position(backend, nodes, entries);
  SelectionMemory<Backend> memory(backend, nodes, layout, plans);
  topk_select(backend, memory, error.view(), {position.view(), value.view()});
  Outcome outcome{error.to_host(), position.to_host(), value.to_host()};
  tamper(outcome);
  error.assign(outcome.error);
  position.assign(outcome.position);
  value.assign(outcome.value);
  try {
    verify_selection(backend, memory, error.view(), Messages{position.view(), value.view()});
  } catch (const std::runtime_error& differs) {
    return differs.what();
  }
  EXPECT_EQ(error.to_host(), outcome.error) << "was changed";
  EXPECT_EQ(position.to_host(), outcome.position) << "was changed";
  return "";
}

std::vector<float> random_rows(const RowLayout& layout, int nodes) {
  std::mt19937 generator(1);
  std::vector<float> rows(nodes * layout.row, 0.0f);
  for (int node = 0; node < nodes; ++node)
    for (const Segment& s : layout.segments)
      for (std::int64_t j = s.begin; j < s.begin + s.size; ++j)
        rows[node * layout.row + j] = static_cast<float>(generator() % 200) - 99;
  return rows;
}

void nothing(Outcome&) {}

TYPED_TEST(VerifySelectionOn, AcceptsWhatIsExact) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{1, 31, 1025, 9001, 256});
    std::vector<float> v = random_rows(layout, 4);
    v[layout.row + 40] = std::numeric_limits<float>::infinity();
    for (const double keep : {1e-9, 0.01, 0.3, 1.0}) {
      const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, keep),
                                           make_topk_plan(layout, TopkScope::kGlobal, keep)};
      EXPECT_EQ(verdict(backend, layout, plans, v, nothing), "") << keep;
      EXPECT_EQ(verdict(backend, layout, plans, std::vector<float>(v.size(), 0.0f), nothing), "") << keep;
    }
  });
}

TYPED_TEST(VerifySelectionOn, AcceptsWhatOnlyTheLastBitsDecide) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    constexpr int kSize = 1500;
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{kSize});
    std::vector<float> v(layout.row, 0.0f);
    for (int j = 0; j < kSize; ++j) v[j] = 1 + 0x1p-23f * static_cast<float>(j * 7 % kSize);
    for (const double keep : {0.001, 0.01, 0.5, 0.9}) {
      const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, keep)};
      EXPECT_EQ(verdict(backend, layout, plans, v, nothing), "") << keep;
    }
  });
}

TYPED_TEST(VerifySelectionOn, NamesTheFirstNodeAndGroupThatDiffer) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{10, 2000});
    const std::vector<TopkPlan> plans(2, make_topk_plan(layout, TopkScope::kLayer, 0.1));  // 1 and 200 entries
    const std::vector<float> v = random_rows(layout, 4);
    const std::int64_t row = layout.row, entries = plans[0].entries;
    const auto expect_named = [&](int node, int group, const std::function<void(Outcome&)>& tamper) {
      const std::string text = verdict(backend, layout, plans, v, tamper);
      EXPECT_TRUE(text.starts_with("node " + std::to_string(node) + ", group " + std::to_string(group) + ":")) << text;
    };
    expect_named(2, 1, [&](Outcome& o) { std::swap(o.position[2 * entries + 5], o.position[2 * entries + 6]); });
    expect_named(1, 0, [&](Outcome& o) { o.position[entries] = 11; });  // padding
    expect_named(1, 0, [&](Outcome& o) { o.position[entries] = -1; });
    expect_named(1, 0, [&](Outcome& o) { o.position[entries] = static_cast<std::int32_t>(row); });
    expect_named(3, 1, [&](Outcome& o) { o.position[3 * entries + 1] = static_cast<std::int32_t>(row); });
    expect_named(0, 1, [&](Outcome& o) { o.position[1] = o.position[2]; });
    expect_named(3, 1, [&](Outcome& o) { o.value[3 * entries + 200] = 0; });
    expect_named(3, 0, [&](Outcome& o) { o.error[3 * row + 9] += 1000; });
    expect_named(0, 1, [&](Outcome& o) { o.error[o.position[1]] = o.value[1]; });  // sent, and yet left
    expect_named(0, 1, [&](Outcome& o) { o.error[o.position[200]] = -0.0f; });
    expect_named(0, 0, [&](Outcome& o) {
      o.position[0] = o.position[0] == 0 ? 1 : 0;
      o.value[2 * entries] = 0;
    });
  });
}

TYPED_TEST(VerifySelectionOn, NoticesALargerElementThatIsLeft) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3000, 9000});
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kGlobal, 0.01)};
    const auto tamper = [&](Outcome& o) { o.error[11999] = -1e3f; };
    EXPECT_NE(verdict(backend, layout, plans, random_rows(layout, 1), tamper), "");
  });
}

TYPED_TEST(VerifySelectionOn, NamesANodeAmongManyOfSeveralReplicas) {
  for_each_way_to_run<TypeParam>([](const TypeParam& backend) {
    const RowLayout layout = make_row_layout(std::vector<std::int64_t>{3000});  // a megabyte has less than a replica
    const std::vector<TopkPlan> plans = {make_topk_plan(layout, TopkScope::kLayer, 0.001),
                                         make_topk_plan(layout, TopkScope::kLayer, 0.002)};
    const std::vector<float> v = random_rows(layout, 200);
    for (const int node : {90, 199}) {
      const auto tamper = [&](Outcome& o) { o.error[(node + 1) * layout.row - 1] = 1e4f; };
      EXPECT_TRUE(verdict(backend, layout, plans, v, tamper).starts_with("node " + std::to_string(node) + ",")) << node;
    }
  });
}

TYPED_TEST(VerifySelectionOn, RefusesShapesThatDoNotFit) {
  const RowLayout layout = make_row_layout(std::vector<std::int64_t>{8});
  const TypeParam backend = tested_backend<TypeParam>();
  const SelectionMemory<TypeParam> memory(backend, 2, layout, {make_topk_plan(layout, TopkScope::kLayer, 0.5)});
  Buffer<TypeParam, float> error(backend, 2, 8), narrow(backend, 2, 4), value(backend, 2, 4);
  Buffer<TypeParam, std::int32_t> position(backend, 2, 4), few(backend, 2, 3);
  const auto verify = [&](MatrixView<const float> e, MatrixView<std::int32_t> p, MatrixView<float> q) {
    verify_selection(backend, memory, e, Messages{p, q});
  };
  EXPECT_THROW(verify(narrow.view(), position.view(), value.view()), std::invalid_argument);
  EXPECT_THROW(verify(error.view(), few.view(), value.view()), std::invalid_argument);
  EXPECT_THROW(verify(error.view(), position.view().rows_from(0, 1), value.view()), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
