#include "kernels/mixing/flag_due.h"

#include "kernels/backend/check.h"

namespace sparsepush {

void check_flag_due_shapes(const FlagDue& flag) {
  const std::size_t replicas = flag.due.size();
  CHECK(replicas > 0 && flag.limit.size() == replicas && flag.syncs.size() == replicas, "due [", replicas, "], limit [",
        flag.limit.size(), "], syncs [", flag.syncs.size(), ']');
  CHECK(flag.drift.cols == 2 && flag.drift.rows > 0 && flag.drift.rows % static_cast<int>(replicas) == 0, "drift ",
        flag.drift, ", replicas ", replicas);
}

void flag_due(const Cpu&, const FlagDue& flag) {
  check_flag_due_shapes(flag);
  const std::int64_t replicas = std::ssize(flag.due), nodes = flag.drift.rows / replicas;
  for (std::int64_t r = 0; r < replicas; ++r) {
    double squares = 0, along = 0;
    for (std::int64_t i = r * nodes; i < (r + 1) * nodes; ++i) {
      squares += static_cast<double>(flag.drift.row(i)[0]);
      along += static_cast<double>(flag.drift.row(i)[1]);
    }
    flag.due[r] = exceeds(flag.limit[r], squares, along, nodes) ? 1 : 0;
    flag.syncs[r] += flag.due[r];
  }
}

}  // namespace sparsepush
