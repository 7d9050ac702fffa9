// What came from outside, as messages quote it.
#pragma once
#include <string>
#include <string_view>

namespace sparsepush {

/// Returns `text` as a TOML basic string on one line: in double quotes, with control characters escaped.
std::string in_quotes(std::string_view text);

/// Quotes `text` for a message: at most its first 80 bytes, then "..." where there are more.
std::string in_quotes_short(std::string_view text);

}  // namespace sparsepush
