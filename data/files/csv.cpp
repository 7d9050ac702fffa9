#include "data/files/csv.h"

#include <utility>

namespace sparsepush {

CsvLine& CsvLine::add(std::string_view text) {
  if (!is_first_) line_ += ',';
  is_first_ = false;
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) {
    line_ += text;
    return *this;
  }
  line_ += '"';
  for (const char c : text) line_ += c == '"' ? std::string("\"\"") : std::string(1, c);
  line_ += '"';
  return *this;
}

std::vector<std::vector<std::string>> parse_csv(std::string_view text) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> line;
  std::string field;
  bool quoted = false, any = false;  // within quotes; whether the line has anything
  const auto end_line = [&] {
    if (any) {
      line.push_back(std::exchange(field, {}));
      lines.push_back(std::exchange(line, {}));
    }
    any = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      field += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (!quoted && c == ',') {
      line.push_back(std::exchange(field, {}));
      any = true;
    } else if (!quoted && c == '\n') {
      end_line();
    } else if (quoted || c != '\r') {
      field += c;
      any = true;
    }
  }
  end_line();
  return lines;
}

}  // namespace sparsepush
