// The text of `sparsepush keys`.
#pragma once
#include <string>

#include "host/records/text_table.h"

namespace sparsepush {

/// Every key of the configuration: its values, default and meaning, and where it counts.
std::string describe_keys(TextForm form);

}  // namespace sparsepush
