#include "host/topologies/metis.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "data/files/input_error.h"
#include "data/files/quotes.h"

namespace sparsepush {
namespace {

constexpr std::size_t kLongestMetisLine = std::size_t{1}
                                          << 24;  // characters: a node with a million neighbours takes half
constexpr std::int64_t kMostNumbers = 64;         // weights a node

struct Header {
  std::int64_t edges = 0;
  std::size_t skipped = 0;  ///< numbers before the neighbours in each line
};

Header read_header(TextLines& lines, int nodes) {
  if (!lines.next_filled()) lines.refuse("expected the numbers of nodes and edges, got nothing");
  const auto words = words_of(lines.text());
  if (words.size() < 2 || words.size() > 4)
    lines.refuse(
        fmt::format("expected the numbers of nodes and edges, and perhaps a format and the number of weights a "
                    "node, got {}",
                    in_quotes_short(lines.text())));
  const std::int64_t count = lines.integer("nodes", words[0], std::numeric_limits<int>::max());
  if (count != nodes) lines.refuse(fmt::format("is for {} nodes; run.nodes is {}", count, nodes));
  Header header{.edges = lines.integer("edges", words[1], kMostRows / 2)};
  if (words.size() == 2) return header;
  const std::string format = fmt::format("{:0>3}", words[2]);
  if (format.size() != 3 || format.find_first_not_of("01") != std::string::npos)
    lines.refuse(fmt::format("expected a format of three digits 0 or 1, got {}", in_quotes_short(words[2])));
  if (format[2] == '1')
    lines.refuse("expected edges without weights: those of METIS are whole numbers, which are no mixing weights");
  const std::int64_t weights = words.size() == 4 ? lines.integer("weights a node", words[3], kMostNumbers) : 1;
  header.skipped = (format[0] == '1' ? 1 : 0) + (format[1] == '1' ? static_cast<std::size_t>(weights) : 0);
  return header;
}

/// Appends the edges to the neighbours that the line of node `node` names.
void read_node(const TextLines& lines, int node, int nodes, const Header& header, std::vector<EdgeRow>& rows) {
  const auto words = words_of(lines.text());
  if (words.size() < header.skipped)
    lines.refuse(fmt::format("expected {} weights and sizes of node {}, got {}", header.skipped, node + 1,
                             in_quotes_short(lines.text())));
  const auto first = std::ssize(rows);
  const std::string range = fmt::format("1 <= neighbour <= run.nodes, which is {};", nodes);
  for (std::size_t i = header.skipped; i < words.size(); ++i) {
    const int neighbour = static_cast<int>(lines.integer("neighbour", words[i], 1, nodes, range)) - 1;
    if (neighbour == node) lines.refuse(fmt::format("node {} is a neighbour of itself", node + 1));
    rows.push_back({.source = node, .target = neighbour, .line = lines.line()});
  }
  std::ranges::sort(rows.begin() + first, rows.end(), {}, &EdgeRow::target);
  const auto twice = std::ranges::adjacent_find(rows.begin() + first, rows.end(), {}, &EdgeRow::target);
  if (twice != rows.end()) lines.refuse(fmt::format("node {} has the neighbour {} twice", node + 1, twice->target + 1));
  if (std::ssize(rows) > 2 * header.edges)
    lines.refuse(fmt::format("expected {} edges, each in the lines of both its ends, got more", header.edges));
}

void check_both_ways(const std::vector<EdgeRow>& rows, const std::string& path) {
  const auto ends = [](const EdgeRow& row) { return std::tuple(row.source, row.target); };
  for (const EdgeRow& row : rows)  // which are in the order of their ends
    if (!std::ranges::binary_search(rows, std::tuple(row.target, row.source), {}, ends))
      throw InputError("{}:{}: node {} has the neighbour {}, but that has not the neighbour {}", path, row.line,
                       row.source + 1, row.target + 1, row.source + 1);
}

}  // namespace

bool is_metis(const std::string& path) {
  const std::string name = lower(path);
  if (name.ends_with(".graph") || name.ends_with(".metis")) return true;
  std::ifstream file(path, std::ios::binary);
  return file.peek() == '%';
}

EdgeTable read_metis(const std::string& path, int nodes) {
  TextLines lines(path, '%', kLongestMetisLine);
  const Header header = read_header(lines, nodes);
  EdgeTable table;
  int node = 0;
  while (lines.next()) {
    if (lines.is_comment() || (node == nodes && lines.text().empty())) continue;
    if (node == nodes) lines.refuse(fmt::format("expected lines of {} nodes, got more", nodes));
    read_node(lines, node++, nodes, header, table.rows);
  }
  if (node < nodes) lines.refuse(fmt::format("expected lines of {} nodes, got {}", nodes, node));
  check_both_ways(table.rows, path);
  if (std::ssize(table.rows) != 2 * header.edges)
    throw InputError("{}: expected {} edges, got {}", path, header.edges, table.rows.size() / 2);
  if (table.rows.empty()) throw InputError("{}: expected at least one edge", path);
  return table;
}

}  // namespace sparsepush
