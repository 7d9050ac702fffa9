// What the program does besides training: it checks, describes, lists, compares and reports.
#pragma once
#include <string>
#include <vector>

#include "host/config/config.h"
#include "host/program/command_line.h"

namespace sparsepush {

/// Returns what `--set` and `--backend` change, as "section.key=value".
std::vector<std::string> overrides_of(const CommandLine& options);

/// Reads the configuration that the command names, or the one in the folder to go on in. Throws InputError.
Config configure(const CommandLine& options);

/// Obeys `topology`, `plan`, `list`, `diff`, `report`, `init`, `keys` and `methods`, and returns the exit code. Throws
/// InputError.
int obey_without_training(const CommandLine& options);

}  // namespace sparsepush
