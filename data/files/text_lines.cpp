#include "data/files/text_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "data/files/input_error.h"
#include "data/files/quotes.h"

namespace sparsepush {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kMarkOfUtf8 = "\xEF\xBB\xBF";

}  // namespace

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = trimmed(text); !text.empty();) {
    const std::size_t end = text.find_first_of(kBlanks);
    words.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : trimmed(text.substr(end));
  }
  return words;
}

std::string lower(std::string_view text) {
  std::string word(text);
  std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return word;
}

TextLines::TextLines(const std::string& path, char comment, std::size_t longest)
    : path_(path), file_(path, std::ios::binary), comment_(comment), longest_(longest) {
  if (!file_) throw InputError("{}: cannot be opened: {}", path, std::strerror(errno));
}

void TextLines::refuse(const std::string& what) const { throw InputError("{}:{}: {}", path_, line_, what); }

void TextLines::read_line() {
  std::array<char, 1 << 12> buffer;
  raw_.clear();
  for (bool more = true; more;) {
    file_.getline(buffer.data(), buffer.size());
    if (file_.bad()) throw InputError("{}: cannot be read: {}", path_, std::strerror(errno));
    raw_.append(buffer.data(), static_cast<std::size_t>(file_.gcount()) - (file_.good() ? 1 : 0));
    more = file_.fail() && !file_.eof();
    if (more) file_.clear();
    if (raw_.size() <= longest_ + 1) continue;  // one more for the carriage return of DOS
    if (raw_.find(comment_) >= longest_) refuse(fmt::format("expected a line of at most {} characters", longest_));
    raw_.resize(longest_);
  }
}

bool TextLines::next() {
  ++line_;
  text_ = {};
  is_comment_ = false;
  if (file_.eof()) return false;
  read_line();
  if (raw_.empty() && file_.eof()) return false;
  if (raw_.ends_with('\r')) raw_.pop_back();
  text_ = raw_;
  if (line_ == 1 && text_.starts_with(kMarkOfUtf8)) text_.remove_prefix(kMarkOfUtf8.size());
  is_comment_ = trimmed(text_).starts_with(comment_);
  text_ = trimmed(text_.substr(0, text_.find(comment_)));
  return true;
}

bool TextLines::next_filled() {
  do
    if (!next()) return false;
  while (text_.empty());
  return true;
}

std::int64_t TextLines::integer(std::string_view name, std::string_view text, std::int64_t least, std::int64_t most,
                                const std::string& range) const {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    refuse(fmt::format("{}: expected an integer, got {}", name, in_quotes_short(text)));
  if (error != std::errc{} || value < least || value > most)
    refuse(fmt::format("{}: expected {} got {}", name, range, text));
  return value;
}

std::int64_t TextLines::integer(std::string_view name, std::string_view text, std::int64_t most) const {
  return integer(name, text, 0, most, fmt::format("0 <= {} <= {},", name, most));
}

double TextLines::weight(std::string_view text) const {
  const std::optional<double> value = number_of<double>(text);
  if (!value) refuse(fmt::format("weight: expected a number, got {}", in_quotes_short(text)));
  if (!(*value >= 0) || !std::isfinite(*value)) refuse(fmt::format("weight: expected 0 <= weight <= 1, got {}", text));
  return *value;
}

}  // namespace sparsepush
