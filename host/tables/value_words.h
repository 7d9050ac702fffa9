// Values of configuration keys as tables show them: words without quotes.
#pragma once
#include <string>

#include "host/config/config_fields.h"

namespace sparsepush {

/// Returns a value as names have it: numbers as %g.
std::string words_of_value(const Field& field, const Config& config);

/// Returns a value as CSV files have it: the shortest number that reads back as the same.
std::string exact_words_of_value(const Field& field, const Config& config);

}  // namespace sparsepush
