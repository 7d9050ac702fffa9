#include "kernels/mixing/due_round.h"

#include "kernels/backend/check.h"

namespace sparsepush {

void check_round_places(const RoundPlaces& places) {
  const auto nodes = static_cast<std::size_t>(places.nodes), edges = static_cast<std::size_t>(places.most_edges);
  const auto count = static_cast<std::size_t>(places.places());
  CHECK(count >= 1 && places.begin.size() == count * (nodes + 1), "begin [", places.begin.size(), "], nodes ", nodes);
  CHECK(places.copies.size() == count * nodes && places.self_weight.size() == count * nodes, "copies [",
        places.copies.size(), "], self_weight [", places.self_weight.size(), "], places ", count, ", nodes ", nodes);
  CHECK(places.slot.size() == count * edges && places.weight.size() == count * edges, "slot [", places.slot.size(),
        "], weight [", places.weight.size(), "], places ", count, ", edges ", edges);
  CHECK(places.is_boundary.empty() || places.is_boundary.size() == count * nodes, "is_boundary [",
        places.is_boundary.size(), "], places ", count, ", nodes ", nodes);
}

void DueRound<Cpu>::load(const Cpu&, const RoundPlaces& places, const std::int64_t* due) {
  check_round_places(places);
  const auto nodes = static_cast<std::size_t>(places.nodes), most = static_cast<std::size_t>(places.most_edges);
  const std::size_t place = *due % places.places();
  const std::span<const std::int64_t> begin = places.begin.subspan(place * (nodes + 1), nodes + 1);
  edges_ = {.begin = begin,
            .slot = places.slot.subspan(place * most, begin.back()),
            .weight = places.weight.subspan(place * most, begin.back()),
            .self_weight = places.self_weight.subspan(place * nodes, nodes)};
  if (!places.is_boundary.empty()) edges_.is_boundary = places.is_boundary.subspan(place * nodes, nodes);
  copies_ = places.copies.subspan(place * nodes, nodes);
}

}  // namespace sparsepush
