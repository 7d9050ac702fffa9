#include "host/program/processes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "data/files/input_error.h"
#include "host/config/config_fields.h"
#include "host/config/config_values.h"
#include "host/descriptions/run_plan.h"
#include "host/program/standard_streams.h"
#include "host/records/version.h"
#include "host/state/diverged.h"
#include "kernels/backend/bus_id.h"
#include "kernels/backend/processors.h"

namespace sparsepush {
namespace {

/// What a failure was, for processes to which an exception cannot be thrown.
enum Kind { kInput, kDiverged, kMemory, kOther };

Failure failure_of(std::exception_ptr why) {
  try {
    std::rethrow_exception(why);
  } catch (const InputError& error) {
    return {.kind = kInput, .text = error.what()};
  } catch (const Diverged& error) {
    return {.kind = kDiverged, .text = error.what()};
  } catch (const std::bad_alloc&) {
    return {.kind = kMemory, .text = ""};
  } catch (const std::exception& error) {
    return {.kind = kOther, .text = error.what()};
  }
}

[[noreturn]] void throw_as_it_was(const Failure& failure, const std::string& by) {
  const std::string text = by.empty() ? failure.text : by + ": " + failure.text;
  if (failure.kind == kInput) throw InputError(text);
  if (failure.kind == kDiverged) throw Diverged(failure.text);  // of a node, whoever has it
  if (failure.kind == kMemory && by.empty()) throw std::bad_alloc();
  if (failure.kind == kMemory) throw std::runtime_error(by + ": out of memory");
  throw std::runtime_error(text);
}

/// What processes have to agree on, a line for each: of keys those that change results, when they are saved or how rows
/// travel, of files the contents, since paths may differ from machine to machine.
std::vector<std::string> to_agree_on(const Experiment& experiment, const std::string& backend) {
  std::vector<std::string> lines{version_line(), "the backend " + backend.substr(0, backend.find(','))};
  Config config = experiment.config();
  for (const Field& field : config_fields()) {
    constexpr std::array kMore = {"run.steps", "run.epochs", "run.checkpoint_steps", "algorithm.final_rounds",
                                  "run.transport"};
    const bool counts = field.changes_bits || std::ranges::find(kMore, field.name()) != kMore.end();
    if (!counts || why_unused(field, config) != nullptr) continue;
    lines.push_back(fmt::format("{} {} {}", field.name(), field.is_file ? "of content" : "=",
                                hashed_text(field, field.member(config))));
  }
  lines.push_back("data and model " + experiment.hash());
  return lines;
}

/// What so many processes need that each need `plan`; address space is each one's own.
MemoryPlan times(MemoryPlan plan, int processes) {
  std::erase_if(plan.arrays, [](const PlannedArray& array) { return array.name == kReservedAddressSpace; });
  for (PlannedArray& array : plan.arrays) {
    array.bytes *= processes;
    if (processes > 1) array.shape += fmt::format(" x {} processes", processes);
  }
  return plan;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

void together(Ranks* ranks, const std::function<void()>& work) {
  if (ranks == nullptr) return work();
  std::string own;
  try {
    work();
  } catch (...) {
    const Failure failure = failure_of(std::current_exception());
    own = std::to_string(failure.kind) + failure.text;
  }
  const std::vector<std::string> all = ranks->all_texts(own);
  const auto failed = std::ranges::find_if(all, [](const std::string& text) { return !text.empty(); });
  if (failed == all.end()) return;
  const auto rank = static_cast<int>(failed - all.begin());
  ranks->fail_alike();
  throw_as_it_was({.kind = failed->front() - '0', .text = failed->substr(1)}, rank == 0 ? "" : ranks->name_of(rank));
}

void share_out(Config& config, const Ranks* ranks) {
  RunConfig& run = config.run;
  if (ranks == nullptr) {
    if (run.transport == "mpi" || run.transport == "nccl")
      throw InputError("run.transport: \"{}\" is for processes of a launcher, such as: mpirun -np 4 sparsepush run ...",
                       run.transport);
    return;
  }
  const int count = ranks->count();
  if (run.transport == "local")
    throw InputError("run.transport: \"local\" is for one process, and the launcher has started {}", count);
  if (run.shards != 1 && run.shards != count)
    throw InputError("run.shards: expected {}, the number of processes, got {}", count, run.shards);
  if (run.nodes < count)
    throw InputError("run.nodes: expected at least {}, a node a process, got {}", count, run.nodes);
  run.shards = count;
}

void check_alike(Ranks* ranks, const Experiment& experiment, const std::string& backend) {
  if (ranks == nullptr) return;
  std::vector<std::string> own;
  together(ranks, [&] { own = to_agree_on(experiment, backend); });
  const std::vector<std::string> all = ranks->all_texts(fmt::format("{}", fmt::join(own, "\n")));
  const std::vector<std::string> first = lines_of(all[0]);
  for (int rank = 1; rank < ranks->count(); ++rank) {
    const std::vector<std::string> other = lines_of(all[rank]);
    const auto [a, b] = std::ranges::mismatch(first, other);
    if (a == first.end() && b == other.end()) continue;
    ranks->fail_alike();
    throw InputError("{}, has {}, process 0 has {}", ranks->name_of(rank), b == other.end() ? "less" : *b,
                     a == first.end() ? "less" : *a);
  }
}

void share(Ranks* ranks, std::optional<CheckpointHead>& resumed) {
  if (ranks == nullptr) return;
  struct {
    bool is_there;
    CheckpointHead head;
  } shared{resumed.has_value(), resumed.value_or(CheckpointHead{})};
  ranks->broadcast(std::as_writable_bytes(std::span(&shared, 1)));
  if (shared.is_there) resumed = shared.head;
}

int device_of(const Ranks* ranks) { return ranks == nullptr ? 0 : ranks->rank_here() % std::max(1, Cuda::count()); }

template <>
ShardPlace place_of_shard<Cpu>(const RunConfig& run, Ranks* ranks) {
  const bool by_itself = ranks == nullptr || run.threads > 0;
  return {.threads = by_itself ? threads_per_shard(run.threads, run.shards) : threads_per_shard(0, ranks->sharing())};
}
template <>
ShardPlace place_of_shard<Cuda>(const RunConfig&, Ranks* ranks) {
  if (ranks == nullptr) return {};
  std::string own;  // processes may see the same GPU under different numbers
  together(ranks, [&] { own = ranks->machine() + ' ' + bus_id(device_of(ranks)); });
  return {.device = device_of(ranks), .processes = static_cast<int>(std::ranges::count(ranks->all_texts(own), own))};
}

bool wants_nccl(const RunConfig& run, const ShardPlace& place, Ranks& ranks) {
  const bool is_possible = nccl_is_available() && place.processes == 1;
  const std::vector<std::string> all = ranks.all_texts(is_possible ? "yes" : "no");
  if (run.transport == "mpi") return false;
  if (std::ranges::find(all, "no") == all.end()) return true;
  if (run.transport == "nccl")
    throw InputError("run.transport: \"nccl\" wants a GPU for each process{}",
                     nccl_is_available() ? "" : ", and NCCL, which is not here");
  return false;
}

template <class Backend>
void check_memory(const Experiment& experiment, const ShardPlace& place, const Ranks* ranks) {
  if (ranks == nullptr) return check_memory_fits<Backend>(plan_memory<Backend>(experiment));
  const MemoryPlan own = plan_memory<Backend>(experiment, {ranks->rank(), 1, place.threads});
  if (std::is_same_v<Backend, Cuda>)
    check_memory_fits(times(own.part(true), place.processes), Cuda(place.device).free_bytes(), "GPU memory");
  const MemoryPlan here = std::is_same_v<Backend, Cuda> ? own.part(false) : own;
  check_memory_fits(here, available_memory());
  check_memory_fits(times(here, ranks->count_here()), available_memory_of_all());
}
template void check_memory<Cpu>(const Experiment&, const ShardPlace&, const Ranks*);
template void check_memory<Cuda>(const Experiment&, const ShardPlace&, const Ranks*);

void give_up(Ranks& ranks, std::exception_ptr why) {
  Failure failure = failure_of(why);
  if (ranks.rank() > 0 && failure.kind != kDiverged && failure.kind != kInput)
    failure = {.kind = kOther,
               .text = fmt::format("{}: {}", ranks.name_of(ranks.rank()),
                                   failure.kind == kMemory ? "out of memory" : failure.text)};
  ranks.tell(failure);
}

void throw_failure(const Ranks& ranks) { throw_as_it_was(ranks.failure(), ""); }

int print_failure(std::exception_ptr why, bool prints) {
  const Failure failure = failure_of(why);
  std::string line = failure.text;
  if (failure.kind == kMemory) line = "out of memory";
  if (failure.kind != kInput) line = "sparsepush: " + line;
  if (prints) print_error(line);
  return failure.kind == kInput ? 2 : 1;
}

}  // namespace sparsepush
