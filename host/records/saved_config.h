// The configuration in a run's folder, with all that is needed to go on from the folder alone.
#pragma once
#include <string>
#include <vector>

#include "host/config/config.h"
#include "host/records/run_folder.h"

namespace sparsepush {

/// Writes config.toml, and copies of the files that the configuration names beside it, such as `topology_file.csv`,
/// which it then names instead. The folder of a data set is not copied; its whole path is written. Throws
/// std::runtime_error when the disk is full.
void save_config(const RunFolder& folder, const Config& config);

/// Reads config.toml of the run in `folder`, with `overrides` as load_config takes them. Throws InputError.
Config load_saved_config(const std::string& folder, const std::vector<std::string>& overrides);

/// Says in which keys, or contents of files, `config` differs from the config.toml in `folder`, among those that count
/// for the hash: "optimizer.lr is 0.01, and 0.1 in runs/a/config.toml". Empty if nothing is known: there may be no such
/// file.
std::string differences_from_saved(const std::string& folder, const Config& config);

}  // namespace sparsepush
