// The configuration to begin with, as `sparsepush init` writes it.
#pragma once
#include <string>

namespace sparsepush {

/// Returns TOML with all keys, what they mean and their defaults; keys that do not count with the defaults, or have
/// none, are comments. Loading it gives the default Config.
std::string commented_config();

}  // namespace sparsepush
