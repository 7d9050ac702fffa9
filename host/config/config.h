// The description of an experiment: one TOML file, every key with a default.
#pragma once
#include <string>
#include <vector>

#include "host/recipe/settings.h"

namespace sparsepush {

class Task;

/// Reads `path` and applies `overrides` ("section.key=value", the value in TOML; a bare word is taken as a string).
/// Throws InputError with file, line and key: unknown keys (with the nearest known one), wrong types, values out of
/// range, overrides that do not count. Keys of the file that do not count, such as `keep` of sgp, are left out: they
/// have their defaults, and a warning names them. Relative data and topology files are looked up beside the
/// configuration first, then in the current folder; the path that was found is stored. The folder of a data set,
/// data/NAME by default, is looked up likewise, but need not exist until the set is read.
Config load_config(const std::string& path, const std::vector<std::string>& overrides);

/// The same of the TOML document `text`. `path` says where that comes from: errors name it, and files are looked up
/// beside it as well.
Config parse_config(const std::string& text, const std::vector<std::string>& overrides,
                    const std::string& path = "configuration");

/// The resolved configuration as TOML; loading it gives the same Config.
std::string to_toml(const Config& config);

/// 16 hex digits over every key that changes the bits of a run: not backend, threads, shards, checkpoint_steps, verify
/// or the run's length (steps, epochs, final_rounds), unless learning rates depend on it.
std::string config_hash(const Config& config);
/// The same for a run of `task` that begins with `replica`: of the sections [data] and [model] only the task's keys
/// count, and its identity does.
std::string config_hash(const Config& config, const Task& task, int replica = 0);
/// The same of all that changes results, so that also the run's length counts.
std::string results_hash(const Config& config);

}  // namespace sparsepush
