#include "host/listing/aligned.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/files/quotes.h"

namespace sparsepush {
namespace {

/// Counts characters of UTF-8.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> width;
  for (const auto& row : rows) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t c = 0; c < row.size(); ++c) width[c] = std::max(width[c], width_of(row[c]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) line += row[c] + std::string(width[c] - width_of(row[c]) + 2, ' ');
    text += line.erase(line.find_last_not_of(' ') + 1) + '\n';
  }
  return text;
}

std::vector<std::string> compared(const std::string& name, std::optional<double> a, std::optional<double> b) {
  return {name, number_word(a), number_word(b), a && b ? number_word(*b - *a) : ""};
}

std::string number_word(std::optional<double> value) {
  if (!value) return "";
  const bool is_whole = std::trunc(*value) == *value && std::abs(*value) < 1e18;
  return is_whole ? fmt::format("{:.0f}", *value) : fmt::format("{:.9g}", *value);
}

std::string on_one_line(std::string_view text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return std::ranges::any_of(text, is_control) ? in_quotes(text) : std::string(text);
}

}  // namespace sparsepush
