#include "host/topologies/matrix_market.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <utility>

#include "data/files/input_error.h"
#include "data/files/quotes.h"

namespace sparsepush {
namespace {

constexpr char kNoComment = '\0';  // for the banner, which looks like a comment
constexpr std::size_t kLongestMatrixLine = 1024;
constexpr std::string_view kBanner = "%%matrixmarket";

/// What the first line says.
struct Banner {
  std::string field;  ///< "pattern", "integer" or "real"
  bool is_symmetric = false;

  bool has_weights() const { return field == "real"; }
};

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

Banner read_banner(const std::string& path) {
  TextLines lines(path, kNoComment, kLongestMatrixLine);
  std::vector<std::string> words;
  if (lines.next())
    for (const std::string_view word : words_of(lines.text())) words.push_back(lower(word));
  const std::string got = in_quotes_short(lines.text());
  if (words.size() != 5 || words[0] != kBanner || words[1] != "matrix")
    lines.refuse(fmt::format("expected a banner such as %%MatrixMarket matrix coordinate real general, got {}", got));
  if (words[2] != "coordinate") lines.refuse(fmt::format("expected a coordinate (sparse) matrix, got {}", got));
  if (!is_one_of(words[3], {"pattern", "integer", "real", "double"}))
    lines.refuse(fmt::format("expected a field of pattern, integer or real, got {}", got));
  if (!is_one_of(words[4], {"general", "symmetric"}))
    lines.refuse(fmt::format("expected a general or symmetric matrix, got {}", got));
  return {.field = words[3] == "double" ? "real" : words[3], .is_symmetric = words[4] == "symmetric"};
}

/// The line with the numbers of rows, columns and entries; returns that of entries.
std::int64_t read_size(TextLines& lines, int nodes) {
  if (!lines.next_filled()) lines.refuse("expected numbers of rows, columns and entries, got the end of the file");
  const auto words = words_of(lines.text());
  if (words.size() != 3)
    lines.refuse(fmt::format("expected numbers of rows, columns and entries, got {}", in_quotes_short(lines.text())));
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  const std::int64_t rows = lines.integer("rows", words[0], kMost), columns = lines.integer("columns", words[1], kMost);
  if (rows != columns) lines.refuse(fmt::format("expected a square matrix, got {} x {}", rows, columns));
  if (rows != nodes) lines.refuse(fmt::format("is for {} nodes; run.nodes is {}", rows, nodes));
  return lines.integer("entries", words[2], kMostRows);
}

/// An entry as an edge of weight `weight`; 0 for what is no edge.
EdgeRow read_entry(const TextLines& lines, const Banner& banner, int nodes) {
  const auto words = words_of(lines.text());
  const std::size_t expected = banner.field == "pattern" ? 2 : 3;
  if (words.size() != expected)
    lines.refuse(fmt::format("expected row{} column{}, got {}", expected == 2 ? " and" : ",",
                             expected == 2 ? "" : " and value", in_quotes_short(lines.text())));
  const auto index = [&](std::string_view name, std::string_view word) {
    const std::string range = fmt::format("1 <= {} <= run.nodes, which is {};", name, nodes);
    return static_cast<int>(lines.integer(name, word, 1, nodes, range)) - 1;
  };
  const int row = index("row", words[0]), column = index("column", words[1]);
  double value = 1;
  if (banner.field == "integer")
    value =
        static_cast<double>(lines.integer("value", words[2], 0, 1, "0 or 1, as whole numbers are no mixing weights;"));
  if (!banner.has_weights()) return {.source = row, .target = column, .weight = value, .line = lines.line()};
  value = lines.weight(words[2]);
  if (value >= 1 && row != column)
    lines.refuse(fmt::format(
        "expected a mixing weight below 1, got {}; the field of an adjacency matrix is pattern or integer", words[2]));
  return {.source = column, .target = row, .weight = value, .line = lines.line()};
}

}  // namespace

bool is_matrix_market(const std::string& path) {
  if (lower(path).ends_with(".mtx")) return true;
  std::ifstream file(path, std::ios::binary);
  std::string start(3 + kBanner.size(), '\0');  // room for the mark of UTF-8
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  return lower(start).starts_with(kBanner) || lower(start).substr(3) == kBanner;
}

bool matrix_market_has_weights(const std::string& path) { return read_banner(path).has_weights(); }

EdgeTable read_matrix_market(const std::string& path, int nodes) {
  const Banner banner = read_banner(path);
  TextLines lines(path, '%', kLongestMatrixLine);
  const std::int64_t entries = read_size(lines, nodes);
  EdgeTable table{.rows = {}, .has_weights = banner.has_weights()};
  std::int64_t read = 0;
  for (; lines.next_filled(); ++read) {
    if (read == entries) lines.refuse(fmt::format("expected {} entries, got more", entries));
    const EdgeRow row = read_entry(lines, banner, nodes);
    if (row.weight == 0 && !table.has_weights) continue;
    table.rows.push_back(row);
    if (banner.is_symmetric && row.source != row.target) {
      table.rows.push_back(row);
      std::swap(table.rows.back().source, table.rows.back().target);
    }
  }
  if (read < entries) lines.refuse(fmt::format("expected {} entries, got {}", entries, read));
  if (table.rows.empty()) throw InputError("{}: expected at least one entry", path);
  return table;
}

}  // namespace sparsepush
