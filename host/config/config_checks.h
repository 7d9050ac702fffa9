// What the keys of a configuration demand of each other.
#pragma once
#include "host/config/config.h"
#include "host/config/config_toml.h"

namespace sparsepush {

/// Throws InputError with the location of the offending key. `config` is complete but for its files.
void check_config(const Config& config, const Origins& origins);

}  // namespace sparsepush
