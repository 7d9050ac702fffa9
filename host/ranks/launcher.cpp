#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "host/ranks/ranks.h"

namespace sparsepush {
namespace {

/// Names of the environment variables in which a launcher says how many processes there are, and which this one is.
struct Launcher {
  const char *count, *rank;
};
constexpr std::array kLaunchers = {
    Launcher{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},  // Open MPI's mpirun
    Launcher{"PMI_SIZE", "PMI_RANK"},                          // MPICH's, and srun with PMI-2
    Launcher{"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"},          // srun
};

int number_in(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

}  // namespace

int Ranks::launched() {
  for (const Launcher& launcher : kLaunchers)
    if (std::getenv(launcher.count) != nullptr) return std::max(1, number_in(launcher.count, 1));
  return 1;
}

int Ranks::launched_rank() {
  for (const Launcher& launcher : kLaunchers)
    if (std::getenv(launcher.count) != nullptr) return number_in(launcher.rank, 0);
  return 0;
}

}  // namespace sparsepush
