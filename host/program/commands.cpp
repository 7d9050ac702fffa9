#include "host/program/commands.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "data/files/input_error.h"
#include "host/comparison/compare.h"
#include "host/config/config_document.h"
#include "host/descriptions/commented_config.h"
#include "host/descriptions/describe_keys.h"
#include "host/descriptions/describe_methods.h"
#include "host/descriptions/run_plan.h"
#include "host/listing/run_listing.h"
#include "host/program/standard_streams.h"
#include "host/ranks/ranks.h"
#include "host/records/guards.h"
#include "host/records/saved_config.h"
#include "host/reports/html_text.h"
#include "host/reports/report.h"
#include "host/state/backend_choice.h"
#include "host/state/experiment.h"
#include "host/tables/run_table.h"

namespace sparsepush {
namespace {

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

/// Prints the plan of a run or a table. A GPU's memory can be planned for without one.
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

/// Prints the runs in and below folders; the default folders need not be there.
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
  fmt::print("{}: {} in {}\n", end.out.string(), count_words(end.runs, "run"), count_words(end.rows, "row"));
  return 0;
}

/// Writes the configuration to begin with, but replaces no file.
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

}  // namespace

std::vector<std::string> overrides_of(const CommandLine& options) {
  auto overrides = options.overrides;
  if (!options.backend.empty()) overrides.push_back("run.backend=" + options.backend);
  return overrides;
}

Config configure(const CommandLine& options) {
  auto overrides = overrides_of(options);
  if (!options.config.empty()) return load_config(options.config, overrides);
  overrides.insert(overrides.begin(), "run.transport=auto");  // as it is started now
  // A shard for each process, however many there were.
  if (Ranks::launched() > 1) overrides.insert(overrides.begin(), "run.shards=1");
  return load_saved_config(options.out, overrides);
}

int obey_without_training(const CommandLine& options) {
  switch (options.command) {
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
    case Command::kRun:
    case Command::kResume:
    case Command::kTable:
      break;
  }
  throw std::logic_error("a command that trains");
}

}  // namespace sparsepush
