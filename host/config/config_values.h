// Values of configuration keys as text.
#pragma once
#include <string>

#include "host/config/config_fields.h"

namespace sparsepush {

/// Returns the shortest text that reads back as the same double, always with a point or an exponent if it is finite.
std::string number_text(double value);

/// Returns whether the key's value in `config` counts for the hash.
bool counts_for_hash(const Field& field, const Config& config);

/// Returns what the hash takes of a value: the hash of a file's content, else the value as TOML. Throws InputError if
/// the file cannot be read.
std::string hashed_text(const Field& field, const Member& member);

/// Returns the value as TOML.
std::string value_text(const Member& member);

}  // namespace sparsepush
