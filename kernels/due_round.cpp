#include "kernels/due_round.h"

#include "kernels/check.h"

namespace sparsepush {

void check_round_block(const RoundBlock& block) {
  const auto nodes = static_cast<std::size_t>(block.nodes);
  CHECK(block.first_edge.size() >= 2, "first edges ", block.first_edge.size());
  const auto rounds = static_cast<std::size_t>(block.rounds());
  CHECK(block.begin.size() == rounds * (nodes + 1), "begin [", block.begin.size(), "], rounds ", rounds, ", nodes ",
        nodes);
  CHECK(block.copies.size() == rounds * nodes && block.self_weight.size() == rounds * nodes, "copies [",
        block.copies.size(), "], self_weight [", block.self_weight.size(), "], rounds ", rounds, ", nodes ", nodes);
  CHECK(block.slot.size() == block.weight.size(), "slot [", block.slot.size(), "], weight [", block.weight.size(), "]");
}

void DueRound<Cpu>::load(const Cpu&, const RoundBlock& block, const std::int64_t* due) {
  check_round_block(block);
  const auto nodes = static_cast<std::size_t>(block.nodes);
  const std::size_t round = (*due - *block.first_round) % block.rounds();
  const std::size_t first = block.first_edge[round], edges = block.first_edge[round + 1] - first;
  edges_ = {.begin = block.begin.subspan(round * (nodes + 1), nodes + 1),
            .slot = block.slot.subspan(first, edges),
            .weight = block.weight.subspan(first, edges),
            .self_weight = block.self_weight.subspan(round * nodes, nodes)};
  copies_ = block.copies.subspan(round * nodes, nodes);
}

}  // namespace sparsepush
