#include "host/program/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "host/program/standard_streams.h"
#include "host/ranks/ranks.h"

namespace sparsepush {
namespace {

class Parser {
 public:
  explicit Parser(const std::function<std::string()>& version) {
    app_.set_version_flag("--version", version);
    app_.require_subcommand(1);
    add_run();
    add_resume();
    add_table();
    add_topology();
    add_plan();
    add_list();
    add_diff();
    add_report();
    add_init();
    add_description(Command::kKeys, "keys", "all keys of a configuration: values, defaults, meaning");
    add_description(Command::kMethods, "methods",
                    "what runs together of methods, compressors, topologies, models, backends");
  }

  std::variant<CommandLine, int> parse(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      if (Ranks::launched_rank() > 0) return error.get_exit_code() == 0 ? 0 : 2;  // one process prints it
      return app_.exit(error) == 0 ? 0 : 2;
    }
    line_.resume |= line_.command == Command::kResume;
    if (line_.command == Command::kInit && line_.config.empty()) line_.config = "experiment.toml";
    return line_;
  }

 private:
  CLI::App* add(Command command, const std::string& name, const std::string& help) {
    auto* added = app_.add_subcommand(name, help);
    added->callback([this, command] { line_.command = command; });
    return added;
  }

  void add_run() {
    auto* run = add(Command::kRun, "run", "train");
    takes_config(run);
    trains(run);
    run->add_option("--out", line_.out, "folder for results (runs/<config's name>)");
    run->add_flag("--resume", line_.resume, "go on from the folder's checkpoint");
    run->add_flag("--print-config", line_.print_config, "print all keys as they count; runs nothing");
  }

  void add_resume() {
    auto* resume = add(Command::kResume, "resume", "go on with the run in a folder, from that alone");
    trains(resume);
    resume->add_option("folder", line_.out, "folder of the run")->required();
    takes_overrides(resume);
  }

  void add_table() {
    auto* table = add(Command::kTable, "table", "train every point of [sweep], and write the table");
    takes_config(table);
    trains(table);
    table->add_option("--out", line_.out, "folder for the table (tables/<config's name>)");
    table
        ->add_option("--jobs", line_.jobs, "points at once (processors / run.threads); 1: side by side in one emulator")
        ->check(CLI::Range(1, 4096));
    table->add_option("--only", line_.only, "train the points whose folder's name contains this");
    table->add_flag("--retry", line_.retry,
                    "train those that have diverged or are damaged again, from their beginning");
  }

  void add_topology() {
    auto* topology = add(Command::kTopology, "topology", "check and describe the topology");
    takes_config(topology);
    topology->add_option("--dot", line_.topology.dot, "file to write for Graphviz; -: standard output");
    topology->add_option("--svg", line_.topology.svg, "file to write a picture to; -: standard output");
    topology->add_option("--json", line_.topology.json, "file to write all of it to; -: standard output");
  }

  void add_plan() {
    auto* plan =
        add(Command::kPlan, "plan", "memory, steps and bytes of a run, or of all points of a table; runs nothing");
    takes_config(plan);
    takes_backend(plan, "cpu, cuda or auto; cuda needs no GPU here");
  }

  void add_list() {
    auto* list = add(Command::kList, "list", "runs in and below folders, a line each, newest last");
    list->add_option("dir", line_.folders, "folders to look into (runs and tables)");
    list->add_flag("--csv", line_.csv, "as CSV, with all columns");
  }

  void add_diff() {
    auto* diff = add(Command::kDiff, "diff", "what is different in two runs, or two tables");
    diff->add_option("folders", line_.folders, "of the runs or tables")->required()->expected(2);
  }

  void add_report() {
    auto* report = add(Command::kReport, "report", "one HTML page with charts of runs, tables and folders of these");
    report->add_option("folders", line_.folders, "of runs or tables, or with such below")->required();
    report->add_option("--out", line_.out, "page to write (report.html in the first folder)");
    report->add_option("--svg", line_.figures, "folder for an SVG file a chart");
  }

  void add_init() {
    auto* init = add(Command::kInit, "init", "write a configuration with all keys and comments, to begin with");
    init->add_option("file", line_.config, "new file (experiment.toml)");
  }

  void add_description(Command command, const std::string& name, const std::string& help) {
    add(command, name, help)->add_flag("--markdown", line_.markdown, "as Markdown");
  }

  void takes_overrides(CLI::App* command) {
    command->add_option("--set", line_.overrides, "section.key=value, instead of the file's")->allow_extra_args(false);
  }

  void takes_config(CLI::App* command) {
    command->add_option("config", line_.config, "description of the experiment (TOML)")->required();
    takes_overrides(command);
  }

  void takes_backend(CLI::App* command, const std::string& help) {
    command->add_option("--backend", line_.backend, help)->check(CLI::IsMember({"cpu", "cuda", "auto"}));
  }

  void trains(CLI::App* command) {
    takes_backend(command, "cpu, cuda or auto (cuda if a GPU works)");
    command->add_flag("--quiet", line_.quiet, "print errors only");
  }

  CLI::App app_{"Emulates many learning devices on one machine: push-sum gossip with compressed messages."};
  CommandLine line_;
};

}  // namespace

std::variant<CommandLine, int> parse_command_line(int argc, char** argv, const std::function<std::string()>& version) {
  return Parser(version).parse(argc, argv);
}

std::string table_command(const CommandLine& line) {
  std::string command = "sparsepush table " + shell_word(line.config);
  for (const std::string& assignment : line.overrides) command += " --set " + shell_word(assignment);
  if (!line.backend.empty()) command += " --backend " + line.backend;
  if (!line.out.empty()) command += " --out " + shell_word(line.out);
  return command;
}

std::string command_to_go_on(const CommandLine& line) {
  std::string command = table_command(line);
  if (line.jobs > 0) command += fmt::format(" --jobs {}", line.jobs);
  if (!line.only.empty()) command += " --only " + shell_word(line.only);
  if (line.retry) command += " --retry";
  if (line.quiet) command += " --quiet";
  return command;
}

}  // namespace sparsepush
