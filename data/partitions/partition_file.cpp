#include "data/partitions/partition_file.h"

#include <fmt/format.h>

#include "data/files/input_error.h"
#include "data/files/text_lines.h"

namespace sparsepush {
namespace {

constexpr std::size_t kLongestLine = 100;  // characters: two numbers

/// The two cells of a row.
struct Cells {
  std::string_view sample, node;
};

Cells cells_of(const TextLines& lines, const std::string& expected) {
  const std::string_view text = lines.text();
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || text.find(',', comma + 1) != std::string_view::npos) lines.refuse(expected);
  return {trimmed(text.substr(0, comma)), trimmed(text.substr(comma + 1))};
}

}  // namespace

Partition read_partition_file(const std::string& path, int samples, int nodes) {
  const std::string header = "expected the header sample,node", row = "expected two numbers sample,node";
  Partition partition(nodes);
  std::vector<std::int64_t> line_of(samples, 0);
  TextLines lines(path, '#', kLongestLine);
  if (!lines.next_filled()) throw InputError("{}:1: {}", path, header);
  if (const Cells first = cells_of(lines, header); lower(first.sample) != "sample" || lower(first.node) != "node")
    lines.refuse(header);
  while (lines.next_filled()) {
    const Cells cells = cells_of(lines, row);
    const std::int64_t sample = lines.integer("sample", cells.sample, 0, samples - 1,
                                              fmt::format("0 <= sample < {}, the training samples;", samples));
    const std::int64_t node =
        lines.integer("node", cells.node, 0, nodes - 1, fmt::format("0 <= node < run.nodes, which is {};", nodes));
    if (line_of[sample] > 0)
      throw InputError("{}:{}: sample {} is in line {} already", path, lines.line(), sample, line_of[sample]);
    line_of[sample] = lines.line();
    partition[node].push_back(static_cast<std::int32_t>(sample));
  }
  return partition;
}

}  // namespace sparsepush
