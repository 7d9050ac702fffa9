#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "host/ranks/ranks.h"

namespace sparsepush {
namespace {

/// Names of the environment variables in which a launcher says how many processes there are, and which this one is.
struct Launcher {
  const char *count, *rank, *command;
};
constexpr std::array kLaunchers = {
    Launcher{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpirun -np"},  // Open MPI
    Launcher{"SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun -n"},
    Launcher{"PMI_SIZE", "PMI_RANK", "mpirun -np"},  // MPICH
};

/// Null without one.
const Launcher* launcher() {
  for (const Launcher& launcher : kLaunchers)
    if (std::getenv(launcher.count) != nullptr) return &launcher;
  return nullptr;
}

int number_in(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

}  // namespace

int Ranks::launched() {
  const Launcher* by = launcher();
  return by == nullptr ? 1 : std::max(1, number_in(by->count, 1));
}

int Ranks::launched_rank() {
  const Launcher* by = launcher();
  return by == nullptr ? 0 : number_in(by->rank, 0);
}

std::string Ranks::launch_command(int count) {
  const Launcher* by = launcher();
  return fmt::format("{} {}", by == nullptr ? "mpirun -np" : by->command, count);
}

}  // namespace sparsepush
