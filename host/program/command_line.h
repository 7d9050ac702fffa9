// What the user asks for: subcommands and their options.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "host/topologies/exports.h"

namespace sparsepush {

enum class Command { kRun, kResume, kTable, kTopology, kPlan, kList, kDiff, kReport, kInit, kKeys, kMethods };

/// A subcommand with its options; those of others are as they begin.
struct CommandLine {
  Command command = Command::kRun;
  std::string config;
  std::vector<std::string> overrides;  ///< of --set
  std::string backend, out;            ///< `out` is where `resume` goes on, too
  std::string only;
  std::vector<std::string> folders;  ///< to list or compare
  std::string figures;               ///< folder for the charts of `report`
  int jobs = 0;
  TopologyFiles topology;
  bool resume = false, retry = false, quiet = false, print_config = false, markdown = false, csv = false;
};

/// The command line, or the exit code where it is done with that: help or `version` was printed, or what is wrong.
std::variant<CommandLine, int> parse_command_line(int argc, char** argv, const std::string& version);

/// The command that makes the table of `line`.
std::string table_command(const CommandLine& line);

/// The same, as the user gave it.
std::string command_to_go_on(const CommandLine& line);

}  // namespace sparsepush
