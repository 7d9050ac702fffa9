// What the keys of a configuration demand of each other.
#pragma once
#include "host/config/config.h"
#include "host/config/config_toml.h"

namespace sparsepush {

/// Checks what keys demand of each other; `config` is complete but for its files. Throws InputError with the location
/// of the offending key.
void check_config(const Config& config, const Origins& origins);

}  // namespace sparsepush
