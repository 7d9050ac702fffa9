// sparsepush: many learning devices on one machine.
#include <fmt/format.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <variant>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "host/backend_choice.h"
#include "host/config/config.h"
#include "host/index/compare.h"
#include "host/index/run_listing.h"
#include "host/program/command_line.h"
#include "host/program/interrupt.h"
#include "host/program/progress.h"
#include "host/program/standard_streams.h"
#include "host/records/commented_config.h"
#include "host/records/describe_keys.h"
#include "host/records/describe_methods.h"
#include "host/records/guards.h"
#include "host/records/recorder.h"
#include "host/records/run_plan.h"
#include "host/records/saved_config.h"
#include "host/records/version.h"
#include "host/reports/report.h"
#include "host/state/emulator.h"
#include "host/state/experiment.h"
#include "host/tables/run_table.h"
#include "host/topologies/exports.h"
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

std::vector<std::string> overrides_of(const CommandLine& options) {
  auto overrides = options.overrides;
  if (!options.backend.empty()) overrides.push_back("run.backend=" + options.backend);
  return overrides;
}

Config configure(const CommandLine& options) {
  const auto overrides = overrides_of(options);
  return options.config.empty() ? load_saved_config(options.out, overrides) : load_config(options.config, overrides);
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

/// Refuses at once what `run` would refuse, and warns of what it would warn of.
void check(Experiment& experiment) {
  check_run(experiment);
  for (const std::string& line : warnings_before(experiment)) print_error("warning: " + line);
}

int describe_topologies(const CommandLine& options) {
  const Config config = configure(options);
  fmt::print("{}", export_topology(make_topologies(config).front(), options.topology));
  flush_standard_output();  // what a run would be refused for comes after it
  Experiment experiment(config);
  check(experiment);
  return 0;
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
  const int jobs = jobs_of<Backend>(options, file);
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
                     .jobs = jobs,
                     .share = jobs == 1,
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

template <class Backend>
int plan(const Config& config, bool runs_here) {
  Experiment experiment(config);
  fmt::print("{}", describe_run_plan<Backend>(experiment));
  flush_standard_output();  // what does not fit is shown first
  if (runs_here) check_memory_fits<Backend>(plan_memory<Backend>(experiment));
  check(experiment);
  return 0;
}

template <class Backend>
int plan(const TableFile& file, bool runs_here) {
  const std::vector<PointPlan> plans = plan_points<Backend>(file, runs_here);
  check_metrics(file, plans);
  fmt::print("{}", describe_points(file, plans, launch_memory<Backend>(file, plans)));
  for (const std::string& line : file.warnings) print_error("warning: " + line);
  return 0;
}

/// A GPU's memory can be planned for without one.
int plan(const CommandLine& options) {
  const std::string text = read_config_text(options.config);  // once: it may be a pipe
  if (is_table(text, options.config)) {
    const TableFile file = parse_table(text, overrides_of(options), options.config);
    const Config& config = file.points.front().config;
    if (config.run.backend == "cuda") return plan<Cuda>(file, false);
    return choose_backend(config) == "cuda" ? plan<Cuda>(file, true) : plan<Cpu>(file, true);
  }
  const Config config = parse_config(text, overrides_of(options), options.config);
  if (config.run.backend == "cuda") return plan<Cuda>(config, false);
  return choose_backend(config) == "cuda" ? plan<Cuda>(config, true) : plan<Cpu>(config, true);
}

/// Default folders need not be there.
int list_runs(const CommandLine& options) {
  std::vector<std::filesystem::path> folders(options.folders.begin(), options.folders.end());
  for (const std::filesystem::path& folder : folders)
    if (std::error_code error; !std::filesystem::is_directory(folder, error))
      throw InputError("{}: {}", folder.string(),
                       std::filesystem::exists(folder, error) ? "expected a folder" : "no such folder");
  if (folders.empty()) folders = {"runs", "tables"};
  const std::vector<RunLine> lines = read_run_lines(find_runs(folders));
  fmt::print("{}", options.csv ? run_lines_csv(lines) : run_lines_text(lines));
  return 0;
}

int compare(const CommandLine& options) {
  fmt::print("{}", compare_folders(options.folders.at(0), options.folders.at(1)));
  return 0;
}

int report(const CommandLine& options) {
  const std::vector<std::filesystem::path> folders(options.folders.begin(), options.folders.end());
  const ReportEnd end = write_report({.folders = folders, .out = options.out, .figures = options.figures});
  for (const std::string& line : end.left_out) print_error("warning: left out: " + line);
  fmt::print("{}: {} {} in {} {}\n", end.out.string(), end.runs, end.runs == 1 ? "run" : "runs", end.rows,
             end.rows == 1 ? "row" : "rows");
  return 0;
}

/// Writes the configuration to begin with, and no file that is there.
int begin(const CommandLine& options) {
  std::FILE* file = std::fopen(options.config.c_str(), "wx");
  if (file == nullptr) throw InputError("{}: {}", options.config, std::strerror(errno));
  const bool written = std::fputs(commented_config().c_str(), file) >= 0;
  if (std::fclose(file) != 0 || !written) throw std::runtime_error(options.config + ": " + std::strerror(errno));
  fmt::print("{}: written; change it and start it by: sparsepush run {}\n", options.config, shell_word(options.config));
  return 0;
}

int print_table(std::string (*describe)(TextForm), const CommandLine& options) {
  fmt::print("{}", describe(options.markdown ? TextForm::kMarkdown : TextForm::kPlain));
  return 0;
}

int obey(const CommandLine& options) {
  switch (options.command) {
    case Command::kRun:
    case Command::kResume:
      return run(options);
    case Command::kTable:
      return make_table(options);
    case Command::kTopology:
      return describe_topologies(options);
    case Command::kPlan:
      return plan(options);
    case Command::kList:
      return list_runs(options);
    case Command::kDiff:
      return compare(options);
    case Command::kReport:
      return report(options);
    case Command::kInit:
      return begin(options);
    case Command::kKeys:
      return print_table(describe_keys, options);
    case Command::kMethods:
      return print_table(describe_methods, options);
  }
  return 2;
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
