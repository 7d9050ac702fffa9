// Steps, selections and what concerns nodes alone ask for little more memory traffic than they must.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/messages/row_packets.h"
#include "kernels/messages/topk/cuda_selection.h"
#include "kernels/messages/topk/update_select.h"
#include "kernels/messages/traffic.h"
#include "kernels/mixing/due_round.h"
#include "tests/simt/access_kernels.h"
#include "tests/simt/counted_rounds.h"

namespace sparsepush {
namespace {

using simt::traffic_of;

/// The definition of too much.
TEST(GossipTraffic, OfAKernelThatReadsTwiceIsNotNearItsFloor) {
  const Cuda gpu;
  const Buffer<Cuda, float> from(gpu, 4, 10'000), to(gpu, 4, 10'000);
  const RoundSize size{.nodes = 4, .row = 10'000};
  const auto once = traffic_of([&] { copy_strided(gpu, from.span(), to.span(), 0, 1); });
  expect_near_floor("debias_blocks", "read once", once.at(0), size);
  const auto twice = traffic_of([&] { subtract_sums(gpu, from.span(), to.span()); });
  EXPECT_NONFATAL_FAILURE(expect_near_floor("debias_blocks", "read twice", twice.at(0), size), "actual: 1.5 vs 1.1");
  EXPECT_NONFATAL_FAILURE(expect_near_floor("dense_mix", "in fours", once.at(0), size), "in_quads");
}

TEST(GossipTraffic, OfStepsIsNearItsFloor) {
  const Cuda gpu;
  for (const auto& [name, nodes] : {std::pair{"resnet", 3}, {"mlp", 100}}) {
    const RowLayout layout = counted_layout(name);
    const CountedStep step(gpu, layout, nodes);
    const CudaLayout there(gpu, layout);
    const auto launches = traffic_of([&] { sgd_update(gpu, there, step.update()); });
    expect_near_floor("sgd_update", name, launches.at(0), size_of(nodes, layout));
  }
}

/// Selections of one layout, of new values round by round.
class SelectionRounds {
 public:
  SelectionRounds(const Cuda& gpu, const RowLayout& layout, const TopkPlan& plan, int nodes)
      : gpu_(gpu),
        layout_(layout),
        plan_(plan),
        nodes_(nodes),
        memory_(gpu, nodes, layout, {plan}),
        position_(gpu, nodes, static_cast<int>(plan.entries)),
        value_(gpu, nodes, static_cast<int>(plan.entries)) {}

  void round(unsigned seed) {
    const CountedStep step(gpu_, layout_, nodes_);
    const Buffer<Cuda, float> error = CountedStep::random_rows(gpu_, layout_, nodes_, 100 + seed);
    update_select(gpu_, memory_,
                  {.sgd = step.update(), .error = error.view(), .messages = {position_.view(), value_.view()}});
  }

  /// After a round.
  RoundSize size() {
    RoundSize size = size_of(nodes_, layout_);
    const std::vector<std::int32_t> all = position_.to_host();
    Positions positions(nodes_);
    for (std::int64_t node = 0; node < nodes_; ++node) {
      positions[node].assign(all.begin() + node * plan_.entries, all.begin() + (node + 1) * plan_.entries);
      size.position_bytes += sector_bytes(node * plan_.entries, plan_.entries);
    }
    size.touched_bytes = touched_bytes(positions, layout_);
    for (const LargeGroup& large : memory_.contents().selection.host().large) {
      const auto [first, last] = large.group.range;
      size.large_row += 4 * large.group.range.quads();
      size.large_position_bytes += size.nodes * 4 * large.group.entries;
      size.large_touched_bytes += touched_bytes(positions, layout_.row, 4 * first, 4 * last);
    }
    const MatrixView<PartCandidates> parts = memory_.contents().selection.states().parts;
    for (std::size_t i = 0; i < parts.size(); ++i) size.candidates += parts.data[i].count;  // 0 where none are listed
    return size;
  }

 private:
  const Cuda& gpu_;
  RowLayout layout_;
  TopkPlan plan_;
  int nodes_;
  SelectionMemory<Cuda> memory_;
  Buffer<Cuda, std::int32_t> position_;
  Buffer<Cuda, float> value_;
};

TEST(GossipTraffic, OfSelectionsIsNearItsFloor) {
  const Cuda gpu;
  struct Case {
    std::string name;
    int nodes;
    double keep;
    std::size_t launches;
    unsigned before;  ///< rounds, until few enough are candidates of large groups
  };
  for (const Case& c : {Case{"resnet", 1, 0.01, 2, 3},
                        {"resnet", 1, 0.1, 2, 0},
                        {"mlp", 50, 0.01, 1, 0},
                        {"mlp", 50, 0.1, 1, 0},
                        {"large", 1, 0.01, 2, 3}}) {
    const RowLayout layout = counted_layout(c.name);
    SelectionRounds selection(gpu, layout, make_topk_plan(layout, TopkScope::kLayer, c.keep), c.nodes);
    for (unsigned seed = 0; seed < c.before; ++seed) selection.round(seed);
    const auto launches = traffic_of([&] { selection.round(c.before); });
    const std::string round = with_keep(c.name, c.keep);
    ASSERT_EQ(launches.size(), c.launches);
    expect_near_floor("select_tiles", round, launches[0], selection.size());
    if (c.launches > 1) expect_near_floor("finish_large", round, launches[1], selection.size());
  }
}

template <class T>
std::vector<T> twice(const std::vector<T>& values) {
  std::vector<T> both = values;
  both.insert(both.end(), values.begin(), values.end());
  return both;
}

TEST(GossipTraffic, OfRoundsAndWeightsIsNearItsFloor) {
  const Cuda gpu;
  constexpr int kNodes = 4000;
  const Buffer<Cuda, double> u(gpu, 1, kNodes), before(gpu, 1, kNodes);
  const Buffer<Cuda, std::int64_t> copies(gpu, 2, kNodes), number(gpu, std::vector<std::int64_t>{1});
  const Buffer<Cuda, std::uint8_t> is_boundary(gpu, 2, kNodes);
  for (const int degree : {1, 2, 8}) {
    const Round round = ring_round(kNodes, degree);
    const RoundOn<Cuda> edges(gpu, round);
    const auto most = std::ssize(round.slot);
    const RoundSize size{.nodes = kNodes, .edges = static_cast<double>(most)};
    const std::string name = name_of("nodes", degree);
    const auto mixing = traffic_of([&] { mix_push_weights(gpu, edges.edges(), before.span(), u.span()); });
    expect_near_floor("mix_push_weights", name, mixing.at(0), size);

    const Buffer<Cuda, std::int64_t> begin(gpu, twice(round.begin));
    const Buffer<Cuda, std::int32_t> slot(gpu, twice(round.slot));
    const Buffer<Cuda, float> weight(gpu, twice(round.weight)), self_weight(gpu, twice(round.self_weight));
    const RoundPlaces places{.nodes = kNodes,
                             .most_edges = most,
                             .begin = begin.span(),
                             .copies = copies.span(),
                             .slot = slot.span(),
                             .weight = weight.span(),
                             .self_weight = self_weight.span(),
                             .is_boundary = is_boundary.span()};
    DueRound<Cuda> due(gpu, kNodes, most);
    const auto loading = traffic_of([&] { due.load(gpu, places, number.span().data()); });
    expect_near_floor("load_due_round", name, loading.at(0), size);
  }
}

TEST(GossipTraffic, OfItsCountsIsNearItsFloor) {
  const Cuda gpu;
  constexpr int kNodes = 500;
  const RowLayout layout = counted_layout("mlp");
  const CudaLayout there(gpu, layout);
  const Buffer<Cuda, std::int64_t> copies(gpu, 1, kNodes), sent(gpu, kSentCounts, kNodes);
  const Buffer<Cuda, MessageBytes> each(gpu, 1, 1);
  const Traffic traffic{.copies = copies.span(), .each = each.span(), .sent = sent.view()};
  RoundSize size = size_of(kNodes, layout);
  expect_near_floor("add_traffic", "mlp", traffic_of([&] { add_traffic(gpu, traffic); }).at(0), size);
  for (const double keep : {0.01, 0.1}) {
    const TopkPlan plan = make_topk_plan(layout, TopkScope::kLayer, keep);
    const auto kept = static_cast<int>(plan.entries);
    std::vector<std::int32_t> positions;
    for (const auto& own : random_positions(layout, plan, kNodes))
      positions.insert(positions.end(), own.begin(), own.end());
    const Buffer<Cuda, std::int32_t> position(gpu, kNodes, kept, positions);
    const Buffer<Cuda, float> value(gpu, kNodes, kept);
    const Buffer<Cuda, std::int64_t> entries(gpu, std::vector<std::int64_t>(kNodes, kept));
    size.position_bytes = 0;
    for (int node = 0; node < kNodes; ++node) size.position_bytes += sector_bytes(std::int64_t{node} * kept, kept);
    const auto launches = traffic_of([&] {
      add_traffic(gpu, traffic,
                  {.layout = there, .messages = Messages{position.view(), value.view()}, .entries = entries.span()});
    });
    expect_near_floor("add_sized_traffic", with_keep("mlp", keep), launches.at(0), size);
  }
}

/// Rows of x and u; every other node's, in packets.
TEST(GossipTraffic, OfPacketsIsNearItsFloor) {
  const Cuda gpu;
  for (const auto& [name, nodes] : {std::pair{"resnet", 4}, {"mlp", 100}}) {
    const RowLayout layout = counted_layout(name);
    const Buffer<Cuda, float> x(gpu, nodes, static_cast<int>(layout.row));
    const Buffer<Cuda, double> u(gpu, 1, nodes);
    const std::vector<PacketArray> arrays = {{reinterpret_cast<std::byte*>(x.span().data()), 4 * layout.row},
                                             {reinterpret_cast<std::byte*>(u.span().data()), 8}};
    std::vector<std::int32_t> rows;
    for (int node = 0; node < nodes; node += 2) rows.push_back(node);
    const auto packet = static_cast<int>(packet_bytes(arrays)), count = static_cast<int>(rows.size());
    const Buffer<Cuda, std::int32_t> row(gpu, rows);
    const Buffer<Cuda, std::byte> packets(gpu, count, packet);
    const RowPackets there{.arrays = arrays, .row = row.span(), .packets = packets.span()};
    RoundSize size = size_of(nodes, layout);
    size.packet_bytes = static_cast<double>(count) * packet;
    expect_near_floor("pack_rows", name, traffic_of([&] { pack_rows(gpu, there); }).at(0), size);
    expect_near_floor("unpack_rows", name, traffic_of([&] { unpack_rows(gpu, there); }).at(0), size);
  }
}

}  // namespace
}  // namespace sparsepush
