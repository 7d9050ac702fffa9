// What came from outside, as messages quote it.
#pragma once
#include <string>
#include <string_view>

namespace sparsepush {

/// `text` as a TOML basic string on one line: in double quotes, with control characters escaped.
std::string in_quotes(std::string_view text);

/// The same, shortened to what still reads well in a message.
std::string in_quotes_short(std::string_view text);

}  // namespace sparsepush
