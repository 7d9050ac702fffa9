// A configuration as a TOML document, for those who find more in it than sections of keys.
#pragma once
#include <toml++/toml.h>

#include <string>

#include "host/config/config_fields.h"
#include "host/config/config_toml.h"

namespace sparsepush {

/// The text of the file `path`, of a length that a configuration may have. Throws InputError.
std::string read_config_text(const std::string& path);

/// The document `text`, which is what origins.path() contains. Throws InputError with file and line.
toml::table parse_document(const std::string& text, const Origins& origins);

/// Throws InputError where the document has a section, or a key outside of sections, that no file has.
void check_sections(const toml::table& document, const Origins& origins);

/// Sets every key of the document. Throws InputError.
void apply_document(const toml::table& document, Config& config, Origins& origins);

/// Sets one key, as a file does at `where`. Throws InputError.
void apply_value(const Field& field, const toml::node& value, const std::string& where, Config& config,
                 Origins& origins);

/// Leaves out keys that do not count, fills in defaults, checks, and finds files. Throws InputError.
Config resolve_config(Config config, Origins& origins);

/// "iid.toml:3"
std::string place_of(const Origins& origins, const toml::source_region& source);

/// What stands there, as messages say it: "integer 3".
std::string describe(const toml::node& value);

/// The key "section.key". Throws InputError, with the nearest known one, if there is none.
const Field& field_named(const std::string& name, const std::string& where);

}  // namespace sparsepush
