#include "kernels/update_mix.h"

#include "kernels/dense_mix.h"

namespace sparsepush {

void check_update_mix_shapes(const RowLayout& layout, const UpdateMix& round) {
  check_sgd_update_shapes(layout, round.sgd);
  check_round_edges(round.edges, round.sgd.x.rows, round.sgd.x.rows);
}

void update_mix(const Cpu& cpu, const RowLayout& layout, const UpdateMix& round) {
  check_update_mix_shapes(layout, round);
  sgd_update(cpu, layout, round.sgd);
  dense_mix(cpu, {.x = round.sgd.x, .halo = {}, .edges = round.edges});
}

}  // namespace sparsepush
