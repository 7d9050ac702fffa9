#include "host/records/version.h"

#include <cblas.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <CLI/Version.hpp>
#include <nlohmann/json.hpp>

#include "kernels/backend/backend.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"

namespace sparsepush {

std::string version_line() { return SPARSEPUSH_VERSION; }

std::string version_text() {
  return fmt::format(
      "sparsepush {}\n"
      "backends: {}\n{}"
      "precision: parameters, gradients and messages fp32; products of 3 x 3 convolutions tf32 on a GPU "
      "(run.precision); push-sum weights, losses and measures fp64\n"
      "libraries: {}; toml++ {}.{}.{}; nlohmann json {}.{}.{}; fmt {}; CLI11 {}\n",
      SPARSEPUSH_VERSION, Cuda::is_built_in() ? "cpu, cuda" : "cpu (built without CUDA)",
      Cuda::is_built_in()
          ? fmt::format("convolutions on a GPU: own{}\n", cudnn_problem().empty() ? ", cudnn " + cudnn_version() : "")
          : "",
      openblas_get_config(), TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH, NLOHMANN_JSON_VERSION_MAJOR,
      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH, FMT_VERSION, CLI11_VERSION);
}

}  // namespace sparsepush
