// The text of `sparsepush keys`.
#pragma once
#include <string>

#include "host/config/config_fields.h"
#include "host/descriptions/text_table.h"

namespace sparsepush {

/// Describes every key of the configuration: its values, default and meaning, and where it counts.
std::string describe_keys(TextForm form);

/// Says in Markdown what the key can be.
std::string values_text(const Field& field);
/// Says in Markdown where the key counts; empty if everywhere.
std::string rules_text(const Field& field);

}  // namespace sparsepush
