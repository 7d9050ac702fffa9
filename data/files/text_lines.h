// Lines of text files that people keep graphs in, and the words about what is wrong with one.
#pragma once
#include <charconv>
#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace sparsepush {

/// Without blanks and tabs at its ends.
std::string_view trimmed(std::string_view text);

/// Returns the number that a text is; none if there is anything else, or it does not fit.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// The words between blanks and tabs.
std::vector<std::string_view> words_of(std::string_view text);

/// In small letters.
std::string lower(std::string_view text);

/// Reads a file front to back. Ends of lines may be those of DOS, and the mark of UTF-8 may come first.
class TextLines {
 public:
  /// What stands behind the character `comment` does not count. Lines that are not comments have at most `longest`
  /// characters. Throws InputError if the file cannot be opened.
  TextLines(const std::string& path, char comment, std::size_t longest);

  /// Goes to the next line; false at the end. Throws InputError, as all do that follow, with file and line.
  bool next();
  /// Goes on to a line that has something in it besides a comment.
  bool next_filled();

  const std::string& path() const { return path_; }
  std::int64_t line() const { return line_; }
  /// The line, without comment and blanks at its ends.
  std::string_view text() const { return text_; }
  /// Returns whether it is nothing but a comment.
  bool is_comment() const { return is_comment_; }

  [[noreturn]] void refuse(const std::string& what) const;
  /// A number in [least, most] that stands in the line; `range` says so, up to and with the sign before "got".
  std::int64_t integer(std::string_view name, std::string_view text, std::int64_t least, std::int64_t most,
                       const std::string& range) const;
  std::int64_t integer(std::string_view name, std::string_view text, std::int64_t most) const;
  /// A number of at least 0, and finite.
  double weight(std::string_view text) const;

 private:
  void read_line();

  std::string path_;
  std::ifstream file_;
  char comment_;
  std::size_t longest_;
  std::string raw_;
  std::string_view text_;
  std::int64_t line_ = 0;
  bool is_comment_ = false;
};

}  // namespace sparsepush
