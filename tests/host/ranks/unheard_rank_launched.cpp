// A process that process 0 does not hear ends both, with kCode, which mpirun returns; any other code is a failure. Run
// by mpirun; alone it does nothing.
#include <fmt/format.h>

#include <chrono>
#include <cstddef>
#include <thread>

#include "host/ranks/ranks.h"

namespace sparsepush {
namespace {

constexpr std::chrono::seconds kMostSilence{1}, kDeaf{20};
constexpr int kCode = 3;

/// Returns if something is wrong. Once process 0 has sent a byte, it does not look at messages, as while it waits for
/// its GPU.
void play(Ranks& ranks) {
  std::byte byte{};
  const Parcel parcel{.rank = 1 - ranks.rank(), .bytes = &byte, .units = 1, .unit_bytes = 1};
  if (ranks.rank() == 0) {
    ranks.start_exchange({&parcel, 1}, {});
    std::this_thread::sleep_for(kDeaf);
    return fmt::print("process 0 was not ended\n");
  }
  ranks.start_exchange({}, {&parcel, 1});
  ranks.finish_exchange();
  const auto start = std::chrono::steady_clock::now();
  ranks.tell({.kind = 1, .text = "nobody hears this"}, kMostSilence);
  const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - start;
  if (waited < kMostSilence) return fmt::print("process 1 waited {} s\n", waited.count());
  if (!ranks.ends_all()) return fmt::print("process 1 takes itself for heard\n");
  ranks.abort(kCode);
}

}  // namespace
}  // namespace sparsepush

int main() {
  if (sparsepush::Ranks::launched() == 1) return 77;
  sparsepush::Ranks ranks;
  sparsepush::play(ranks);
  ranks.abort(1);
}
