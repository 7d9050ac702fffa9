// A configuration as a TOML document, for those who find more in it than sections of keys.
#pragma once
#include <toml++/toml.h>

#include <string>

#include "host/config/config_fields.h"
#include "host/config/config_toml.h"

namespace sparsepush {

/// Reads the text of the file `path`, which may be at most 1 MiB long. Throws InputError.
std::string read_config_text(const std::string& path);

/// Parses `text`, the content of the file origins.path(). Throws InputError with file and line.
toml::table parse_document(const std::string& text, const Origins& origins);

/// Throws InputError where the document has a section, or a key outside of sections, that no file has.
void check_sections(const toml::table& document, const Origins& origins);

/// Sets every key of the document in `config`, and remembers where each was set. Throws InputError.
void apply_document(const toml::table& document, Config& config, Origins& origins);

/// Sets one key to `value`, as a file does at `where`. Throws InputError.
void apply_value(const Field& field, const toml::node& value, const std::string& where, Config& config,
                 Origins& origins);

/// Leaves out keys that do not count, fills in defaults, checks, and finds files. Throws InputError.
Config resolve_config(Config config, Origins& origins);

/// Returns file and line of a place in the document, such as "iid.toml:3".
std::string place_of(const Origins& origins, const toml::source_region& source);

/// Describes a value as messages do: "integer 3".
std::string describe(const toml::node& value);

/// Finds the key "section.key". Throws InputError about `where`, with the nearest known key, if there is none.
const Field& field_named(const std::string& name, const std::string& where);

}  // namespace sparsepush
