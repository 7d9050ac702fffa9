// What the user asks for: subcommands and their options.
#pragma once
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "host/topologies/exports.h"

namespace sparsepush {

enum class Command { kRun, kResume, kTable, kTopology, kPlan, kList, kDiff, kReport, kInit, kKeys, kMethods };

/// A subcommand with its options; options of other subcommands have their defaults.
struct CommandLine {
  Command command = Command::kRun;
  std::string config;
  std::vector<std::string> overrides;  ///< values of --set
  std::string backend, out;            ///< `out` is where `resume` goes on, too
  std::string only;
  std::vector<std::string> folders;  ///< to list or compare
  std::string figures;               ///< folder for the charts of `report`
  int jobs = 0;
  TopologyFiles topology;
  bool resume = false, retry = false, quiet = false, print_config = false, markdown = false, csv = false;
};

/// Parses the command line. Returns the exit code instead where nothing is left to do: help or what `version` returns
/// was printed, or what is wrong.
std::variant<CommandLine, int> parse_command_line(int argc, char** argv, const std::function<std::string()>& version);

/// Returns the command that makes the table of `line`.
std::string table_command(const CommandLine& line);

/// Returns the command that goes on with the table of `line`: table_command with --jobs, --only, --retry and --quiet.
std::string command_to_go_on(const CommandLine& line);

}  // namespace sparsepush
