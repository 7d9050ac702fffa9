// The text of `sparsepush methods`.
#pragma once
#include <string>

#include "host/descriptions/text_table.h"

namespace sparsepush {

/// Says what runs together of methods, compressors, topologies, models and backends, and why the rest is refused: read
/// from the tables, and asked of the checks that a run has to pass.
std::string describe_methods(TextForm form);

}  // namespace sparsepush
