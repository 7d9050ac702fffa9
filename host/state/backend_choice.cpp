#include "host/state/backend_choice.h"

#include <fmt/format.h>

#include "data/files/input_error.h"
#include "host/config/config_fields.h"
#include "kernels/backend/buffer.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "kernels/nodes/step_clock.h"

namespace sparsepush {
namespace {

/// Says why no GPU can be used; empty if one can.
std::string gpu_problem(int device) {
  if (!Cuda::is_built_in()) return "this program was built without CUDA";
  if (!Cuda::is_available()) return "there is no NVIDIA GPU with a working driver";
  try {
    const Cuda gpu(device);
    const Buffer<Cuda, StepClock> clock(gpu, 1, 1);
    end_step(gpu, {}, 1, clock.span());  // fails on GPUs that the kernels are not built for
    if (clock.to_host().front().round != 1) return "its results are wrong";
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

/// Returns whether a key of [run] decides anything.
bool counts(std::string_view key, const Config& config) {
  return why_unused(*find_field("run", key), config) == nullptr;
}

bool is_in_tf32(const Config& config) { return counts("precision", config) && config.run.precision != "fp32"; }
bool is_by_cudnn(const Config& config) { return counts("convolution", config) && config.run.convolution == "cudnn"; }

}  // namespace

template <>
void check_products<Cpu>(const Config& config, const std::string& why) {
  if (counts("precision", config) && config.run.precision == "tf32")
    throw InputError(
        "run.precision: \"tf32\" is for tensor cores of a GPU, but {}; expected \"fp32\" or \"auto\", which is fp32 "
        "there",
        why);
  if (is_by_cudnn(config))
    throw InputError("run.convolution: \"cudnn\" is for convolutions on a GPU, but {}; expected \"own\"", why);
}
template <>
void check_products<Cuda>(const Config& config, const std::string&) {
  if (!is_by_cudnn(config)) return;
  if (const std::string problem = cudnn_problem(); !problem.empty())
    throw InputError("run.convolution: \"cudnn\" cannot be used: {}; expected \"own\"", problem);
}

std::string choose_backend(const Config& config, int device) {
  const std::string& wanted = config.run.backend;
  const auto cpu = [&](const std::string& why) {
    check_products<Cpu>(config, why);
    return "cpu";
  };
  if (wanted == "cpu") return cpu("run.backend is \"cpu\"");
  const std::string problem = gpu_problem(device);
  if (problem.empty()) {
    check_products<Cuda>(config, "");
    return "cuda";
  }
  if (wanted == "cuda") throw InputError("run.backend: \"cuda\" cannot be used: {}", problem);
  return cpu(problem);
}

template <>
Cpu open_backend(const ShardPlace& place) {
  return Cpu(place.threads);
}
template <>
Cuda open_backend(const ShardPlace& place) {
  return Cuda(place.device);
}

template <>
std::string describe_backend<Cpu>(const Config& config, const ShardPlace& place) {
  const int threads = place.threads * config.run.shards;
  return fmt::format("cpu, {} {}", threads, threads == 1 ? "thread" : "threads");
}
template <>
std::string describe_backend<Cuda>(const Config& config, const ShardPlace& place) {
  return fmt::format("cuda, {}, {}{}", Cuda(place.device).name(), is_in_tf32(config) ? "tf32" : "fp32",
                     is_by_cudnn(config) ? ", cuDNN " + cudnn_version() : "");
}

template <>
void check_memory_fits<Cpu>(const MemoryPlan& plan, int) {
  check_memory_fits(plan, available_memory());
}
template <>
void check_memory_fits<Cuda>(const MemoryPlan& plan, int device) {
  check_memory_fits(plan.part(false), available_memory());
  check_memory_fits(plan.part(true), Cuda(device).free_bytes(), "GPU memory");
}

}  // namespace sparsepush
