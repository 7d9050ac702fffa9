#include "kernels/mixing/due_round.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/backends.h"
#include "tests/kernels/mixing/mixing_round.h"

namespace sparsepush {
namespace {

/// Random rounds in places of equal size, on the host.
struct Rounds {
  Rounds(int nodes, int count, unsigned seed) : nodes(nodes) {
    std::mt19937 generator(seed);
    for (int k = 0; k < count; ++k) {
      rounds.push_back(random_round(nodes, nodes, generator));
      most_edges = std::max(most_edges, static_cast<std::int64_t>(rounds.back().slot.size()));
    }
    if (nodes % 2 == 1) most_edges += 3;
    for (const Round& round : rounds) {
      begin.insert(begin.end(), round.begin.begin(), round.begin.end());
      slot.insert(slot.end(), round.slot.begin(), round.slot.end());
      weight.insert(weight.end(), round.weight.begin(), round.weight.end());
      slot.resize(begin.size() / (nodes + 1) * most_edges, -1);
      weight.resize(slot.size(), -1);
      self_weight.insert(self_weight.end(), round.self_weight.begin(), round.self_weight.end());
      for (int i = 0; i < nodes; ++i) {
        copies.push_back(static_cast<std::int64_t>(generator() % 9));
        is_boundary.push_back(generator() % 2);
      }
    }
  }
  int nodes;
  std::vector<Round> rounds;
  std::vector<std::int64_t> begin, copies;
  std::vector<std::int32_t> slot;
  std::vector<float> weight, self_weight;
  std::vector<std::uint8_t> is_boundary;
  std::int64_t most_edges = 0;
};

template <class Backend, class T>
std::vector<T> on_host(const Backend& backend, std::span<const T> values, std::size_t count) {
  std::vector<T> there(count);
  copy(backend, there.data(), values.data(), count * sizeof(T));
  return there;
}

template <class Backend>
class DueRoundOn : public BackendTest<Backend> {};
TYPED_TEST_SUITE(DueRoundOn, Backends);

TYPED_TEST(DueRoundOn, IsInThePlaceThatTheBackendsMemoryNames) {
  for (const auto& [nodes, count] : {std::pair{1, 1}, {1, 3}, {5, 1}, {40, 4}, {300, 2}}) {
    const Rounds r(nodes, count, 3);
    for_each_way_to_run<TypeParam>([&, nodes = nodes, count = count](const TypeParam& backend) {
      const Buffer<TypeParam, std::int64_t> begin(backend, r.begin), copies(backend, r.copies);
      const Buffer<TypeParam, std::int32_t> slot(backend, r.slot);
      const Buffer<TypeParam, float> weight(backend, r.weight), self_weight(backend, r.self_weight);
      const Buffer<TypeParam, std::uint8_t> is_boundary(backend, r.is_boundary);
      const RoundPlaces places{.nodes = nodes,
                               .most_edges = r.most_edges,
                               .begin = begin.span(),
                               .copies = copies.span(),
                               .slot = slot.span(),
                               .weight = weight.span(),
                               .self_weight = self_weight.span(),
                               .is_boundary = is_boundary.span()};
      DueRound<TypeParam> due(backend, nodes, r.most_edges);
      for (std::int64_t t = 0; t < 2 * count; ++t) {  // the second pass repeats the first
        const Buffer<TypeParam, std::int64_t> number(backend, std::vector<std::int64_t>{t});
        due.load(backend, places, number.span().data());
        const std::size_t k = t % count;
        const Round& wanted = r.rounds[k];
        const RoundEdges& edges = due.edges();
        EXPECT_EQ(on_host(backend, edges.begin, nodes + 1), wanted.begin) << "round " << t;
        EXPECT_EQ(on_host(backend, edges.self_weight, nodes), wanted.self_weight);
        ASSERT_GE(edges.slot.size(), wanted.slot.size());
        EXPECT_EQ(edges.slot.size(), edges.weight.size());
        EXPECT_EQ(on_host(backend, edges.slot, wanted.slot.size()), wanted.slot);
        EXPECT_EQ(on_host(backend, edges.weight, wanted.slot.size()), wanted.weight);
        EXPECT_EQ(on_host(backend, due.copies(), nodes),
                  std::vector(r.copies.begin() + k * nodes, r.copies.begin() + (k + 1) * nodes));
        EXPECT_EQ(on_host(backend, edges.is_boundary, nodes),
                  std::vector(r.is_boundary.begin() + k * nodes, r.is_boundary.begin() + (k + 1) * nodes));
      }
    });
  }
}

TYPED_TEST(DueRoundOn, RefusesPlacesOfOtherShapes) {
  const Rounds r(3, 2, 1);
  const std::int64_t round = 20;
  const TypeParam backend = tested_backend<TypeParam>();
  RoundPlaces places{.nodes = 3,
                     .most_edges = r.most_edges,
                     .begin = r.begin,
                     .copies = r.copies,
                     .slot = r.slot,
                     .weight = r.weight,
                     .self_weight = r.self_weight};
  EXPECT_NO_THROW(check_round_places(places));
  const auto refuses = [&](auto change) {
    RoundPlaces other = places;
    change(other);
    EXPECT_THROW(DueRound<TypeParam>(backend, 3, r.most_edges).load(backend, other, &round), std::invalid_argument);
  };
  refuses([](RoundPlaces& p) { p.nodes = 4; });
  refuses([](RoundPlaces& p) { p.begin = {}; });
  refuses([](RoundPlaces& p) { p.begin = p.begin.first(7); });
  refuses([](RoundPlaces& p) { p.copies = p.copies.first(5); });
  refuses([](RoundPlaces& p) { p.self_weight = p.self_weight.first(5); });
  refuses([](RoundPlaces& p) { p.most_edges -= 1; });
  refuses([](RoundPlaces& p) { p.slot = p.slot.first(p.slot.size() - 1); });
  refuses([](RoundPlaces& p) { p.weight = p.weight.first(p.weight.size() - 1); });
  refuses([&](RoundPlaces& p) { p.is_boundary = std::span(r.is_boundary).first(5); });
}

}  // namespace
}  // namespace sparsepush
