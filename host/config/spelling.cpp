#include "host/config/spelling.h"

#include <algorithm>
#include <numeric>

namespace sparsepush {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::size_t spelling_distance(std::string_view word, std::string_view known) {
  const bool shortened = word.size() >= 2 && known.starts_with(word) && known != word;
  return shortened ? 1 : edit_distance(word, known);
}

std::string_view nearest_word(std::string_view word, const std::vector<std::string_view>& words) {
  return *std::ranges::min_element(words, {}, [&](std::string_view known) { return spelling_distance(word, known); });
}

}  // namespace sparsepush
