#include "host/state/backend_choice.h"

#include <fmt/format.h>

#include "data/files/input_error.h"
#include "host/config/config_fields.h"
#include "kernels/backend/buffer.h"
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

/// Returns whether run.precision decides anything.
bool has_precisions(const Config& config) { return why_unused(*find_field("run", "precision"), config) == nullptr; }

}  // namespace

template <>
void check_precision<Cpu>(const Config& config, const std::string& why) {
  if (has_precisions(config) && config.run.precision == "tf32")
    throw InputError(
        "run.precision: \"tf32\" is for tensor cores of a GPU, but {}; expected \"fp32\" or \"auto\", which is fp32 "
        "there",
        why);
}
template <>
void check_precision<Cuda>(const Config&, const std::string&) {}

std::string choose_backend(const Config& config, int device) {
  const std::string& wanted = config.run.backend;
  const auto cpu = [&](const std::string& why) {
    check_precision<Cpu>(config, why);
    return "cpu";
  };
  if (wanted == "cpu") return cpu("run.backend is \"cpu\"");
  const std::string problem = gpu_problem(device);
  if (problem.empty()) return "cuda";
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
  const bool has_products = why_unused(*find_field("run", "precision"), config) == nullptr;
  return fmt::format("cuda, {}, {}", Cuda(place.device).name(),
                     has_products && config.run.precision != "fp32" ? "tf32" : "fp32");
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
