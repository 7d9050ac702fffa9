// The text of `sparsepush keys`.
#pragma once
#include <string>

#include "host/config/config_fields.h"
#include "host/descriptions/text_table.h"

namespace sparsepush {

/// Every key of the configuration: its values, default and meaning, and where it counts.
std::string describe_keys(TextForm form);

/// Its cells of one key, in Markdown: what the key can be, and where it counts, empty if everywhere.
std::string values_text(const Field& field);
std::string rules_text(const Field& field);

}  // namespace sparsepush
