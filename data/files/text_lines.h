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

/// Returns the text without blanks and tabs at its ends.
std::string_view trimmed(std::string_view text);

/// Reads a text that is one number and nothing else; none if it is not, or if the number does not fit.
template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Splits a text into the words between its blanks and tabs.
std::vector<std::string_view> words_of(std::string_view text);

/// Returns the text in small letters.
std::string lower(std::string_view text);

/// The lines of a file, front to back. They may end as DOS ends lines, and the mark of UTF-8 may come first.
class TextLines {
 public:
  /// Opens the file. What stands behind the character `comment` in a line does not count. Lines that are not comments
  /// may have at most `longest` characters. Throws InputError if the file cannot be opened.
  TextLines(const std::string& path, char comment, std::size_t longest);

  /// Goes to the next line; false at the end. Throws InputError with file and line, as all members below do.
  bool next();
  /// Goes on to a line that has something in it besides a comment; false at the end.
  bool next_filled();

  const std::string& path() const { return path_; }
  std::int64_t line() const { return line_; }
  /// Returns the line without its comment, and without blanks at its ends.
  std::string_view text() const { return text_; }
  /// Returns whether the line is nothing but a comment.
  bool is_comment() const { return is_comment_; }

  /// Throws InputError that says where the line is, then `what`.
  [[noreturn]] void refuse(const std::string& what) const;
  /// Reads `text` as a whole number in [least, most] that errors call `name`. `range` says in them what was expected,
  /// with the sign before "got".
  std::int64_t integer(std::string_view name, std::string_view text, std::int64_t least, std::int64_t most,
                       const std::string& range) const;
  /// Reads a whole number from 0 to `most`.
  std::int64_t integer(std::string_view name, std::string_view text, std::int64_t most) const;
  /// Reads a finite number of at least 0.
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
