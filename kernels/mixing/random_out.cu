#include <bit>
#include <cub/device/device_radix_sort.cuh>

#include "kernels/backend/constexpr_algorithms.h"
#include "kernels/backend/cuda_launch.h"
#include "kernels/mixing/random_out.h"

namespace sparsepush {
namespace {

constexpr int kThreads = 128;

/// A thread per node of every replica, in strides of the grid, in the order of the cycle: draws its targets.
__global__ void draw_targets_kernel(DrawRandomOut d, std::int32_t* targets, std::int32_t* sources) {
  const auto nodes = static_cast<std::uint32_t>(d.topology.nodes);
  const std::int64_t rows = std::ssize(d.begin) - 1, round = *d.round;
  for (std::int64_t row = grid_thread(); row < rows; row += grid_threads()) {
    const auto replica = static_cast<std::uint32_t>(row) / nodes, place = static_cast<std::uint32_t>(row) % nodes;
    const Draw cycle = cycle_draw(d.seed[replica], round);
    const auto source = static_cast<int>(random_permutation(cycle, place, nodes));
    const auto next = static_cast<int>(random_permutation(cycle, (place + 1) % nodes, nodes));
    const std::int64_t first_row = std::int64_t{replica} * nodes, first = (first_row + source) * d.topology.degree;
    draw_targets(d.topology, d.seed[replica], round, source, next, targets + first);
    for (std::int64_t e = first; e < first + d.topology.degree; ++e) {
      targets[e] += static_cast<std::int32_t>(first_row);
      sources[e] = static_cast<std::int32_t>(first_row + source);
    }
  }
}

/// A thread per row, in strides of the grid: where its in-edges begin among all that are sorted.
__global__ void find_begins_kernel(DrawRandomOut d, const std::int32_t* sorted_targets) {
  for (std::int64_t row = grid_thread(); row < std::ssize(d.begin); row += grid_threads())
    d.begin[row] = count_before(std::ssize(d.slot), [&](std::int64_t i) { return sorted_targets[i] < row; });
}

/// Pairs that are sorted by target, below `targets`; [edges] each.
struct Pairs {
  const std::int32_t *target = nullptr, *source = nullptr;
  std::int32_t *sorted_target = nullptr, *sorted_source = nullptr;
  std::int64_t edges = 0, targets = 0;
};

/// Stable, so that sources which ascend still do. Without `memory`, tells how many bytes of it are needed.
void sort_by_target(const Cuda& gpu, const Pairs& pairs, void* memory, std::size_t& bytes) {
  const int bits = std::bit_width(static_cast<std::uint64_t>(pairs.targets - 1));
  check_cuda(cub::DeviceRadixSort::SortPairs(memory, bytes, pairs.target, pairs.sorted_target, pairs.source,
                                             pairs.sorted_source, pairs.edges, 0, bits, stream_of(gpu)),
             "cub::DeviceRadixSort::SortPairs");
}

std::size_t bytes_to_sort(const Cuda& gpu, std::int64_t rows, std::int64_t edges) {
  std::size_t bytes = 0;
  sort_by_target(gpu, {.edges = edges, .targets = rows}, nullptr, bytes);
  return bytes;
}

}  // namespace

RandomOutScratch<Cuda>::RandomOutScratch(const Cuda& gpu, std::int64_t rows, std::int64_t edges)
    : target(gpu, 1, static_cast<int>(edges)),
      source(gpu, 1, static_cast<int>(edges)),
      sorted_target(gpu, 1, static_cast<int>(edges)),
      sort(gpu, 1, static_cast<int>(bytes_to_sort(gpu, rows, edges))) {}

void draw_random_out(const Cuda& gpu, const DrawRandomOut& d, RandomOutScratch<Cuda>& scratch) {
  check_draw_random_out_shapes(d);
  const std::int64_t rows = std::ssize(d.begin) - 1;
  const Pairs pairs{.target = scratch.target.span().data(),
                    .source = scratch.source.span().data(),
                    .sorted_target = scratch.sorted_target.span().data(),
                    .sorted_source = d.slot.data(),
                    .edges = std::ssize(d.slot),
                    .targets = rows};
  launch(gpu, thread_each(gpu, rows, kThreads), draw_targets_kernel, d, scratch.target.span().data(),
         scratch.source.span().data());
  std::size_t bytes = scratch.sort.span().size();
  sort_by_target(gpu, pairs, scratch.sort.span().data(), bytes);
  launch(gpu, thread_each(gpu, rows + 1, kThreads), find_begins_kernel, d, scratch.sorted_target.span().data());
}

}  // namespace sparsepush
