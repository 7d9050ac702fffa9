// sparsepush: many learning devices on one machine.
#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <new>
#include <type_traits>
#include <variant>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "host/config/config_toml.h"
#include "host/descriptions/run_plan.h"
#include "host/program/commands.h"
#include "host/program/interrupt.h"
#include "host/program/progress.h"
#include "host/program/standard_streams.h"
#include "host/records/guards.h"
#include "host/records/recorder.h"
#include "host/records/version.h"
#include "host/reports/report.h"
#include "host/state/backend_choice.h"
#include "host/state/emulator.h"
#include "host/state/experiment.h"
#include "host/tables/run_table.h"
#include "host/transports/run_shards.h"
#include "kernels/backend/processors.h"

namespace sparsepush {
namespace {

/// One shard's share of a run. Every stage is for all of its nodes at once; false if the user stopped it.
template <class Backend>
bool train(Emulator<Backend>& emulator, Recorder& recorder) {
  recorder.begin(emulator);
  while (emulator.step() < emulator.experiment().schedule().end()) {
    if (recorder.stopped(emulator)) return false;
    if (emulator.in_final_rounds()) {
      emulator.run_final_round();
    } else {
      emulator.run_step([&] {
        emulator.take_gradients();  // batch, gradient at z = x / u
        emulator.run_method();      // update, select, deliver, mix, de-bias
      });
    }
    recorder.record(emulator);  // losses, accuracies, consensus, mass, bytes
  }
  return !recorder.untested();
}

/// Below `room` unless the user has chosen one.
std::filesystem::path results_folder(const char* room, const CommandLine& options) {
  if (!options.out.empty()) return options.out;
  return std::filesystem::path(room) / std::filesystem::path(options.config).stem();
}

/// As far as the folder takes it: the disk may be what failed.
void record_failure(Recorder& recorder, const std::exception& error) {
  try {
    recorder.summarize("failed", error.what());
  } catch (const std::exception&) {  // the first failure is the one to be told
  }
}

std::vector<Config> configs_of(const std::vector<WantedRun>& wanted) {
  std::vector<Config> configs;
  for (const WantedRun& run : wanted) configs.push_back(run.config);
  return configs;
}

/// Runs side by side, each into a folder of its own. What ends them but their end and their caller is thrown, and told
/// by the folders as well: so a divergence, unless others go on.
template <class Backend>
RunEnd run_into(const std::vector<WantedRun>& wanted, bool resume, const Caller& caller) {
  Experiment experiment(configs_of(wanted));  // topology, data, model
  const Config& config = experiment.config();
  check_memory_fits<Backend>(plan_memory<Backend>(experiment));
  check_run(experiment);
  experiment.prepare_data();

  std::deque<RunFolder> folders;
  std::vector<RunPlace> places;
  for (const WantedRun& run : wanted) places.push_back({&folders.emplace_back(run.folder, resume), run.say});
  Recorder recorder(experiment, places, describe_backend<Backend>(config), resume, caller);
  if (recorder.finished()) {
    recorder.complete();
    return RunEnd::kFinishedBefore;
  }
  std::atomic<bool> finished = true;
  try {
    run_shards<Backend>(config.run.shards, config.run.replicas, config.run.nodes, [&](Transport<Backend>& transport) {
      const Backend backend = open_backend<Backend>(config.run);
      Emulator<Backend> emulator(backend, experiment, transport);
      if (!train(emulator, recorder)) finished = false;
    });
  } catch (const Diverged& diverged) {
    recorder.end_lost(diverged.reasons());
    throw;
  } catch (const InputError&) {  // refused: what the folder has stays as it is
    throw;
  } catch (const std::exception& error) {
    record_failure(recorder, error);
    throw;
  }
  recorder.summarize(finished ? "finished" : "interrupted");
  return finished ? RunEnd::kFinished : RunEnd::kStopped;
}

/// What runs ask and tell the user.
Caller caller_of(Interrupt& interrupt, Progress& progress) {
  const auto request = [&] {
    if (interrupt.stop_requested()) return Request::kStop;
    if (!interrupt.take_save_request()) return Request::kNone;
    progress.line("saving, as asked by SIGUSR1");
    return Request::kSave;
  };
  return {.request = request,
          .say = [&](const std::string& line) { progress.line(line); },
          .progress = [&](const RunPosition& position) { progress.update(position); }};
}

int run(const CommandLine& options) {
  const Config config = configure(options);
  if (options.print_config) {
    fmt::print("{}", to_toml(config));
    for (const std::string& line : config.warnings) print_error("warning: " + line);
    return 0;
  }
  const std::filesystem::path folder = results_folder("runs", options);
  const auto run_on = choose_backend(config) == "cuda" ? run_into<Cuda> : run_into<Cpu>;
  Interrupt interrupt;  // from here on SIGUSR1 ends nothing
  RunEnd end;
  {
    Progress progress(options.quiet);
    const auto say = [&](const std::string& line) { progress.line(line); };
    end = run_on({{config, folder, say}}, options.resume, caller_of(interrupt, progress));
  }
  if (end == RunEnd::kFinishedBefore && !options.quiet) fmt::print("{}: already finished\n", folder.string());
  if (end != RunEnd::kStopped) return 0;
  print_error("stopped; go on with: sparsepush resume " + shell_word(folder.string()));
  return 1;
}

/// Launches at once: as many as there are processors for their threads unless the user says how many. A GPU is for one.
template <class Backend>
int jobs_of(const CommandLine& options, const TableFile& file) {
  if (std::is_same_v<Backend, Cuda>) return 1;
  if (options.jobs > 0) return options.jobs;
  int threads = 1;
  for (const TablePoint& point : file.points) {
    const RunConfig& run = point.config.run;
    threads = std::max(threads, threads_per_shard(run.threads, run.shards) * run.shards);
  }
  return std::max(1, usable_processors() / threads);
}

template <class Backend>
int make_table(const CommandLine& options, const TableFile& file) {
  const std::vector<PointPlan> plans = plan_points<Backend>(file, true);
  check_metrics(file, plans);
  Interrupt interrupt;
  TableEnd end;
  {
    Progress progress(options.quiet);
    Caller caller = caller_of(interrupt, progress);
    if (!progress.on_terminal()) caller.progress = [](const RunPosition&) {};  // a line a point is enough
    const auto train = [](const std::vector<WantedRun>& points, const Caller& of_points) {
      return run_into<Backend>(points, true, of_points);
    };
    end = run_table(file, plans,
                    {.out = results_folder("tables", options),
                     .command = table_command(options),
                     .jobs = jobs_of<Backend>(options, file),
                     .share = std::is_same_v<Backend, Cuda> || options.jobs == 1,
                     .memory = static_cast<double>(available_memory()),
                     .only = options.only,
                     .retry = options.retry},
                    train, caller);
  }
  if (!options.quiet) fmt::print("{}", end.markdown);
  if (end.stopped) print_error("stopped; go on with: " + command_to_go_on(options));
  try {
    write_table_report(results_folder("tables", options));
  } catch (const std::exception& error) {  // the table is there
    print_error(std::string("warning: no report: ") + error.what());
  }
  if (!end.all_finished) return 1;
  return end.claims_hold ? 0 : 3;
}

int make_table(const CommandLine& options) {
  const TableFile file = load_table(options.config, overrides_of(options));
  return choose_backend(file.points.front().config) == "cuda" ? make_table<Cuda>(options, file)
                                                              : make_table<Cpu>(options, file);
}

int obey(const CommandLine& options) {
  switch (options.command) {
    case Command::kRun:
    case Command::kResume:
      return run(options);
    case Command::kTable:
      return make_table(options);
    default:
      return obey_without_training(options);
  }
}

int obey(int argc, char** argv) {
  const auto line = parse_command_line(argc, argv, version_text());
  if (const int* code = std::get_if<int>(&line)) return *code;
  return obey(std::get<CommandLine>(line));
}

}  // namespace
}  // namespace sparsepush

int main(int argc, char** argv) {
  sparsepush::prepare_standard_streams();
  try {
    const int code = sparsepush::obey(argc, argv);
    sparsepush::flush_standard_output();
    return code;
  } catch (const sparsepush::InputError& error) {
    sparsepush::print_error(error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    sparsepush::print_error("sparsepush: out of memory");
    return 1;
  } catch (const std::exception& error) {
    sparsepush::print_error(std::string("sparsepush: ") + error.what());
    return 1;
  }
}
