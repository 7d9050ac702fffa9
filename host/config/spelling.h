// Words in messages to the user: finding what was probably meant.
#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace sparsepush {

/// Counts the characters that must be inserted, deleted or replaced to turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// Returns the edit distance, but 1 where `word` is `known` cut short, with at least two characters left.
std::size_t spelling_distance(std::string_view word, std::string_view known);

/// Finds the nearest of `words` by spelling_distance, the first of several; `words` must not be empty.
std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace sparsepush
