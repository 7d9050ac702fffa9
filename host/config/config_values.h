// Values of configuration keys as text.
#pragma once
#include <string>

#include "host/config/config_fields.h"

namespace sparsepush {

/// The shortest text that reads back as the same double, always with a point or an exponent.
std::string number_text(double value);

/// Returns whether the key's value in `config` counts for the hash.
bool counts_for_hash(const Field& field, const Config& config);

/// What the hash takes of the value: the content of a file, else the value as TOML. Throws InputError.
std::string hashed_text(const Field& field, const Member& member);

/// The value as TOML.
std::string value_text(const Member& member);

}  // namespace sparsepush
