#include "kernels/messages/round_values.h"

#include "kernels/backend/check.h"

namespace sparsepush {

void check_round_values_shapes(const RoundValues& round) {
  const MatrixView<std::int32_t> position = round.messages.position;
  CHECK(position.rows >= round.v.rows && std::ssize(round.entries) >= round.v.rows, "positions ", position,
        ", entries [", round.entries.size(), "], v ", round.v);
  CHECK(round.messages.value.rows == position.rows && round.messages.value.cols == position.cols, "positions ",
        position, ", values ", round.messages.value);
}

void round_values(const Cpu& cpu, const RoundValues& round) {
  check_round_values_shapes(round);
  cpu.pool().run(round.v.rows, [&](std::int64_t row, int) {
    const std::int32_t* const position = round.messages.position.row(row);
    float* const value = round.messages.value.row(row);
    for (std::int64_t i = 0; i < round.entries[row]; ++i) {
      const float rounded = round_to_bfloat16(value[i]);
      round.v.row(row)[position[i]] = value[i] - rounded;
      value[i] = rounded;
    }
  });
}

}  // namespace sparsepush
