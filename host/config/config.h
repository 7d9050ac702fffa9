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
/// data/NAME by default, is looked up in the same places, but need not exist until the set is read.
Config load_config(const std::string& path, const std::vector<std::string>& overrides);

/// Reads the TOML document `text` as load_config reads a file. `path` says where the text comes from: errors name it,
/// and files are looked up beside it as well.
Config parse_config(const std::string& text, const std::vector<std::string>& overrides,
                    const std::string& path = "configuration");

/// Returns the resolved configuration as TOML; loading it gives the same Config.
std::string to_toml(const Config& config);

/// Hashes every key that changes the bits of a run, to 16 hex digits: not backend, threads, shards, checkpoint_steps,
/// tensorboard, verify, data.path and final_rounds, nor the run's steps and epochs, unless learning rates depend on
/// them.
std::string config_hash(const Config& config);
/// Hashes the configuration of a run of `task` that begins with replica `replica` of the task: of the sections [data]
/// and [model] only the task's keys count, and the task's identity counts as well.
std::string config_hash(const Config& config, const Task& task, int replica = 0);
/// Hashes all that changes results: what config_hash does, and the run's steps or epochs and final rounds.
std::string results_hash(const Config& config);

}  // namespace sparsepush
