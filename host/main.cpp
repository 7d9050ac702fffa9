// sparsepush: many learning devices on one machine.
#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <type_traits>
#include <variant>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "host/config/config_toml.h"
#include "host/descriptions/run_plan.h"
#include "host/program/commands.h"
#include "host/program/interrupt.h"
#include "host/program/last_words.h"
#include "host/program/processes.h"
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

std::string command_to_go_on(const std::filesystem::path& folder, const Ranks* ranks) {
  const std::string command = "sparsepush resume " + shell_word(folder.string());
  return ranks == nullptr ? command : fmt::format("{} {}", Ranks::launch_command(ranks->count()), command);
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
/// by the folders as well: so a divergence, unless others go on. With `ranks`, a process does its part, and the first
/// has the folders.
template <class Backend>
RunEnd run_into(const std::vector<WantedRun>& wanted, bool resume, const Caller& caller, Ranks* ranks = nullptr) {
  const RunConfig& shape = wanted.front().config.run;
  const ShardPlace place = place_of_shard<Backend>(shape, ranks);
  std::unique_ptr<Experiment> made;
  std::string backend;
  together(ranks, [&] {
    made = std::make_unique<Experiment>(configs_of(wanted));  // topology, data, model
    check_memory<Backend>(*made, place, ranks);
    check_run(*made);
  });
  together(ranks, [&] {
    made->prepare_data();
    backend = describe_backend<Backend>(made->config(), place);
  });
  const Experiment& experiment = *made;
  check_alike(ranks, experiment, backend);

  std::deque<RunFolder> folders;
  std::unique_ptr<Recorder> recorder;
  std::optional<CheckpointHead> resumed;
  together(ranks, [&] {
    if (!is_first(ranks)) return;
    std::vector<RunPlace> places;
    for (const WantedRun& run : wanted) places.push_back({&folders.emplace_back(run.folder, resume), run.say});
    recorder = std::make_unique<Recorder>(experiment, places, backend, resume, caller);
    resumed = recorder->resumed();
  });
  share(ranks, resumed);
  if (resumed) caller.saved();
  if (!recorder) recorder = std::make_unique<Recorder>(experiment, resumed, caller);
  if (recorder->finished()) {
    recorder->complete();
    return RunEnd::kFinishedBefore;
  }
  std::atomic<bool> finished = true;
  try {
    run_shards<Backend>(ranks, experiment.config().run, place, [&](const Backend& on, Transport<Backend>& transport) {
      Emulator<Backend> emulator(on, experiment, transport);
      if (!train(emulator, *recorder)) finished = false;
    });
  } catch (const Diverged& diverged) {
    recorder->end_lost(diverged.reasons());
    throw;
  } catch (const InputError&) {  // refused: what the folder has stays as it is
    throw;
  } catch (const std::exception& error) {
    record_failure(*recorder, error);
    throw;
  }
  recorder->summarize(finished ? "finished" : "interrupted");
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

int run(const CommandLine& options, Ranks* ranks = nullptr) {
  Config config;
  std::string backend;
  together(ranks, [&] {
    config = configure(options);
    share_out(config, ranks);
    if (!options.print_config) backend = choose_backend(config, device_of(ranks));
  });
  if (options.print_config) {
    if (!is_first(ranks)) return 0;
    fmt::print("{}", to_toml(config));
    for (const std::string& line : config.warnings) print_error("warning: " + line);
    return 0;
  }
  const std::filesystem::path folder = results_folder("runs", options);
  const auto run_on = backend == "cuda" ? run_into<Cuda> : run_into<Cpu>;
  const bool quiet = options.quiet || !is_first(ranks);
  Interrupt interrupt;  // from here on SIGUSR1 ends nothing
  std::optional<LastWords> last_words;
  if (ranks != nullptr)
    last_words.emplace(*ranks, folder / "checkpoint.safetensors", command_to_go_on(folder, ranks), !options.quiet);
  RunEnd end;
  {
    Progress progress(quiet);
    Caller caller = caller_of(interrupt, progress);
    if (!is_first(ranks)) caller.request = [] { return Request::kNone; };  // the first process asks for all
    caller.saved = [] { LastWords::there_is_a_checkpoint(); };
    end = run_on({{config, folder, caller.say}}, options.resume, caller, ranks);
  }
  if (end == RunEnd::kFinishedBefore && !quiet) fmt::print("{}: already finished\n", folder.string());
  if (end != RunEnd::kStopped) return 0;
  if (is_first(ranks)) print_error("stopped; go on with: " + command_to_go_on(folder, ranks));
  return 1;
}

/// The part of one process of several. A failure of one ends all.
int run_with_others(const CommandLine& options) {
  std::signal(SIGUSR1, SIG_IGN);  // also before a run, and behind it
  Ranks ranks;
  int code = 0;
  try {
    code = run(options, &ranks);
  } catch (...) {
    if (!ranks.broken() && !ranks.fails_alike()) give_up(ranks, std::current_exception());
    if (ranks.ends_all()) ranks.flag_here() = 1;  // others here say no more than the line that comes now
    code = print_failure(std::current_exception(), ranks.ends_all());
  }
  if (!ranks.broken()) return code;
  if (ranks.ends_all()) ranks.abort(code);
  ranks.await_end(code);
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
      return Ranks::launched() > 1 ? run_with_others(options) : run(options);
    case Command::kTable:
      if (Ranks::launched() > 1) throw InputError("table: runs in one process; a launcher may start run and resume");
      return make_table(options);
    default:
      if (Ranks::launched_rank() > 0) return 0;  // one process prints it
      return obey_without_training(options);
  }
}

int obey(int argc, char** argv) {
  const auto line = parse_command_line(argc, argv, [] { return version_text() + Ranks::description(); });
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
  } catch (...) {
    return sparsepush::print_failure(std::current_exception());
  }
}
