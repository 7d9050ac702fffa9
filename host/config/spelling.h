// Words in messages to the user: finding what was probably meant.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace sparsepush {

/// How many characters must be inserted, deleted or replaced to turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The same, but a word that was cut short is near to its whole.
std::size_t spelling_distance(std::string_view word, std::string_view known);

/// The first of the nearest words; `words` must not be empty.
std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace sparsepush
