#include "data/files/quotes.h"

#include <fmt/format.h>

#include <cstddef>

namespace sparsepush {
namespace {

constexpr std::size_t kLongestInMessage = 80;  // with file, line and key this fills a line or two of a terminal

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04X}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string in_quotes_short(std::string_view text) {
  if (text.size() <= kLongestInMessage) return in_quotes(text);
  std::size_t end = kLongestInMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a UTF-8 character
  return in_quotes(text.substr(0, end)) + "...";
}

}  // namespace sparsepush
