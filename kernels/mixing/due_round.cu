#include <algorithm>

#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/due_round.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 256;

/// The arrays that the round goes to.
struct Destination {
  std::int64_t *begin, *copies;
  std::int32_t* slot;
  float *weight, *self_weight;
  std::uint8_t* is_boundary;
};

/// A thread per node and per edge, in strides of the grid.
__global__ void load_due_round_kernel(RoundPlaces places, const std::int64_t* due, Destination to) {
  const std::int64_t nodes = places.nodes, place = *due % places.places();
  const std::int64_t* const begin = &places.begin[place * (nodes + 1)];
  const std::int64_t first = place * places.most_edges, edges = begin[nodes];
  for (std::int64_t i = grid_thread(); i <= nodes; i += grid_threads()) to.begin[i] = begin[i];
  for (std::int64_t i = grid_thread(); i < nodes; i += grid_threads()) {
    to.copies[i] = places.copies[place * nodes + i];
    to.self_weight[i] = places.self_weight[place * nodes + i];
    if (!places.is_boundary.empty()) to.is_boundary[i] = places.is_boundary[place * nodes + i];
  }
  for (std::int64_t e = grid_thread(); e < edges; e += grid_threads()) {
    to.slot[e] = places.slot[first + e];
    to.weight[e] = places.weight[first + e];
  }
}

}  // namespace

void DueRound<Cuda>::load(const Cuda& gpu, const RoundPlaces& places, const std::int64_t* due) {
  check_round_places(places);
  if (places.places() == 1) {
    edges_ = {places.begin, places.slot, places.weight, places.self_weight, places.is_boundary};
    due_copies_ = places.copies;
    return;
  }
  edges_ = {begin_.span(), slot_.span(), weight_.span(), self_weight_.span(), {}};
  if (!places.is_boundary.empty()) edges_.is_boundary = is_boundary_.span();
  due_copies_ = copies_.span();
  const std::int64_t items = std::max(begin_.span().size(), slot_.span().size());
  launch(gpu, thread_each(gpu, items, kThreads), load_due_round_kernel, places, due,
         Destination{begin_.span().data(), copies_.span().data(), slot_.span().data(), weight_.span().data(),
                     self_weight_.span().data(), is_boundary_.span().data()});
}

}  // namespace sparsepush
