// sparsepush: many learning devices on one machine.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <type_traits>

#include "data/files/input_error.h"
#include "data/memory_plan.h"
#include "host/backend_choice.h"
#include "host/config/config.h"
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
#include "host/state/emulator.h"
#include "host/state/experiment.h"
#include "host/tables/run_table.h"
#include "host/topologies/exports.h"
#include "host/transports/run_shards.h"
#include "kernels/backend/processors.h"

namespace sparsepush {
namespace {

struct Options {
  std::string config;
  std::vector<std::string> overrides;
  std::string backend, out;  ///< `out` is where `resume` goes on, too
  std::string only;
  int jobs = 0;
  TopologyFiles topology;
  bool resume = false, retry = false, quiet = false, print_config = false, markdown = false;
};

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

std::vector<std::string> overrides_of(const Options& options) {
  auto overrides = options.overrides;
  if (!options.backend.empty()) overrides.push_back("run.backend=" + options.backend);
  return overrides;
}

Config configure(const Options& options) {
  const auto overrides = overrides_of(options);
  return options.config.empty() ? load_saved_config(options.out, overrides) : load_config(options.config, overrides);
}

/// Below `room` unless the user has chosen one.
std::filesystem::path results_folder(const char* room, const Options& options) {
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

/// One run, into a folder of its own. What ends it but its end and its caller is thrown, and told by the folder as
/// well.
template <class Backend>
RunEnd run_into(const std::filesystem::path& path, const Config& config, bool resume, const Caller& caller) {
  Experiment experiment(config);  // topology, data, model
  check_memory_fits<Backend>(plan_memory<Backend>(experiment));
  check_run(experiment);
  experiment.prepare_data();

  const RunFolder folder(path, resume);
  Recorder recorder(experiment, folder, describe_backend<Backend>(config), resume, caller);
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
    recorder.summarize("diverged", diverged.what());
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

int describe_topologies(const Options& options) {
  const Config config = configure(options);
  fmt::print("{}", export_topology(make_topologies(config).front(), options.topology));
  flush_standard_output();  // what a run would be refused for comes after it
  Experiment experiment(config);
  check(experiment);
  return 0;
}

int run(const Options& options) {
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
    end = run_on(folder, config, options.resume, caller_of(interrupt, progress));
  }
  if (end == RunEnd::kFinishedBefore && !options.quiet) fmt::print("{}: already finished\n", folder.string());
  if (end != RunEnd::kStopped) return 0;
  print_error("stopped; go on with: sparsepush resume " + shell_word(folder.string()));
  return 1;
}

/// The command that makes a table, and goes on with it.
std::string table_command(const Options& options) {
  std::string command = "sparsepush table " + shell_word(options.config);
  for (const std::string& assignment : options.overrides) command += " --set " + shell_word(assignment);
  if (!options.backend.empty()) command += " --backend " + options.backend;
  if (!options.out.empty()) command += " --out " + shell_word(options.out);
  return command;
}

/// Points at once: as many as there are processors for their threads unless the user says how many. A GPU is for one.
template <class Backend>
int jobs_of(const Options& options, const TableFile& file) {
  if (std::is_same_v<Backend, Cuda>) return 1;
  if (options.jobs > 0) return options.jobs;
  int threads = 1;
  for (const TablePoint& point : file.points)
    threads = std::max(threads, threads_per_shard(point.config.run.threads, 1));
  return std::max(1, usable_processors() / threads);
}

template <class Backend>
int make_table(const Options& options, const TableFile& file) {
  const std::vector<PointPlan> plans = plan_points<Backend>(file, true);
  check_metrics(file, plans);
  Interrupt interrupt;
  TableEnd end;
  {
    Progress progress(options.quiet);
    Caller caller = caller_of(interrupt, progress);
    if (!progress.on_terminal()) caller.progress = [](const RunPosition&) {};  // a line a point is enough
    const auto train = [](const Config& config, const std::filesystem::path& folder, const Caller& of_point) {
      return run_into<Backend>(folder, config, true, of_point);
    };
    end = run_table(file, plans,
                    {.out = results_folder("tables", options),
                     .command = table_command(options),
                     .jobs = jobs_of<Backend>(options, file),
                     .memory = static_cast<double>(available_memory()),
                     .only = options.only,
                     .retry = options.retry},
                    train, caller);
  }
  if (!options.quiet) fmt::print("{}", end.markdown);
  const std::string only = options.only.empty() ? "" : " --only " + shell_word(options.only);
  if (end.stopped) print_error("stopped; go on with: " + table_command(options) + only);
  if (!end.all_finished) return 1;
  return end.claims_hold ? 0 : 3;
}

TableFile table_of(const Options& options) { return load_table(options.config, overrides_of(options)); }

int make_table(const Options& options) {
  const TableFile file = table_of(options);
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
  fmt::print("{}", describe_points(file, plans));
  if (!file.warning.empty()) print_error("warning: " + file.warning);
  return 0;
}

/// A GPU's memory can be planned for without one.
int plan(const Options& options) {
  if (is_table_file(options.config)) {
    const TableFile file = table_of(options);
    const Config& config = file.points.front().config;
    if (config.run.backend == "cuda") return plan<Cuda>(file, false);
    return choose_backend(config) == "cuda" ? plan<Cuda>(file, true) : plan<Cpu>(file, true);
  }
  const Config config = configure(options);
  if (config.run.backend == "cuda") return plan<Cuda>(config, false);
  return choose_backend(config) == "cuda" ? plan<Cuda>(config, true) : plan<Cpu>(config, true);
}

/// Writes the configuration to begin with, and no file that is there.
int begin(const Options& options) {
  std::FILE* file = std::fopen(options.config.c_str(), "wx");
  if (file == nullptr) throw InputError("{}: {}", options.config, std::strerror(errno));
  const bool written = std::fputs(commented_config().c_str(), file) >= 0;
  if (std::fclose(file) != 0 || !written) throw std::runtime_error(options.config + ": " + std::strerror(errno));
  fmt::print("{}: written; change it and start it by: sparsepush run {}\n", options.config, shell_word(options.config));
  return 0;
}

int print_table(std::string (*describe)(TextForm), const Options& options) {
  fmt::print("{}", describe(options.markdown ? TextForm::kMarkdown : TextForm::kPlain));
  return 0;
}

int command_line(int argc, char** argv) {
  CLI::App app("Emulates many learning devices on one machine: push-sum gossip with compressed messages.");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  Options options;
  const auto add_overrides = [&](CLI::App* command) {
    command->add_option("--set", options.overrides, "section.key=value, instead of the file's")
        ->allow_extra_args(false);
  };
  const auto add = [&](const std::string& name, const std::string& help) {
    auto* command = app.add_subcommand(name, help);
    command->add_option("config", options.config, "description of the experiment (TOML)")->required();
    add_overrides(command);
    return command;
  };
  const auto add_table = [&](const std::string& name, const std::string& help) {
    auto* command = app.add_subcommand(name, help);
    command->add_flag("--markdown", options.markdown, "as Markdown");
    return command;
  };
  const auto add_training = [&](CLI::App* command) {
    command->add_option("--backend", options.backend, "cpu, cuda or auto (cuda if a GPU works)")
        ->check(CLI::IsMember({"cpu", "cuda", "auto"}));
    command->add_flag("--quiet", options.quiet, "print errors only");
    return command;
  };
  auto* run_command = add_training(add("run", "train"));
  run_command->add_option("--out", options.out, "folder for results (runs/<config's name>)");
  run_command->add_flag("--resume", options.resume, "go on from the folder's checkpoint");
  run_command->add_flag("--print-config", options.print_config, "print all keys as they count; runs nothing");
  auto* resume_command = add_training(app.add_subcommand("resume", "go on with the run in a folder, from that alone"));
  resume_command->add_option("folder", options.out, "folder of the run")->required();
  add_overrides(resume_command);
  auto* table_command = add_training(add("table", "train every point of [sweep], and write the table"));
  table_command->add_option("--out", options.out, "folder for the table (tables/<config's name>)");
  table_command->add_option("--jobs", options.jobs, "points at once (processors / run.threads)")
      ->check(CLI::Range(1, 4096));
  table_command->add_option("--only", options.only, "train the points whose folder's name contains this");
  table_command->add_flag("--retry", options.retry, "train those that have diverged again");
  auto* topology_command = add("topology", "check and describe the topology");
  topology_command->add_option("--dot", options.topology.dot, "file to write for Graphviz; -: standard output");
  topology_command->add_option("--svg", options.topology.svg, "file to write a picture to; -: standard output");
  topology_command->add_option("--json", options.topology.json, "file to write all of it to; -: standard output");
  auto* plan_command = add("plan", "memory, steps and bytes of a run, or of all points of a table; runs nothing");
  plan_command->add_option("--backend", options.backend, "cpu, cuda or auto; cuda needs no GPU here")
      ->check(CLI::IsMember({"cpu", "cuda", "auto"}));
  auto* init_command = app.add_subcommand("init", "write a configuration with all keys and comments, to begin with");
  init_command->add_option("file", options.config, "new file (experiment.toml)");
  auto* keys_command = add_table("keys", "all keys of a configuration: values, defaults, meaning");
  auto* methods_command =
      add_table("methods", "what runs together of methods, compressors, topologies, models, backends");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.resume |= static_cast<bool>(*resume_command);
  if (*run_command || *resume_command) return run(options);
  if (*table_command) return make_table(options);
  if (*init_command) {
    if (options.config.empty()) options.config = "experiment.toml";
    return begin(options);
  }
  if (*topology_command) return describe_topologies(options);
  if (*plan_command) return plan(options);
  if (*keys_command) return print_table(describe_keys, options);
  if (*methods_command) return print_table(describe_methods, options);
  return 2;
}

}  // namespace
}  // namespace sparsepush

int main(int argc, char** argv) {
  sparsepush::prepare_standard_streams();
  try {
    const int code = sparsepush::command_line(argc, argv);
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
