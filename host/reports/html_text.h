// Texts from configurations and folders, for HTML, SVG and JSON within them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace sparsepush {

/// Returns `text` for an element or attribute of HTML and XML: markup escaped, control characters as spaces, and what
/// is no UTF-8 as U+FFFD.
std::string html_text(std::string_view text);

/// Cuts a text to at most `most` characters of UTF-8, the last of them "…" where others are left out.
std::string shortened(std::string_view text, std::size_t most);

/// Returns a number with its noun: "1 run", "2 runs".
std::string count_words(std::int64_t number, std::string_view what);

}  // namespace sparsepush
