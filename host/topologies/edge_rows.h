// Rows of topology files: edges in the forms that people keep them in.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/files/text_lines.h"

namespace sparsepush {

/// One row of the file.
struct EdgeRow {
  std::int64_t round = 0;
  int source = 0, target = 0;
  double weight = 0;
  std::int64_t line = 0;
};

/// All rows of a file, in its order.
struct EdgeTable {
  std::vector<EdgeRow> rows;
  bool has_weights = false;
};

inline constexpr std::int64_t kMostRows = std::int64_t{1} << 27;  // as many as a topology may have edges

/// Reads a file front to back. Rows have the columns source and target, and may have round and weight; commas separate
/// them, or blanks and tabs. A header names the columns, in any order; without one, rows are `source target`, `source
/// target weight` or `round source target weight`, and a first line of one number says how many nodes there are. What
/// stands behind a # is a comment, and so is a line without anything else.
class EdgeRows {
 public:
  /// Opens the file and reads what comes before the rows. Throws InputError with file and line, as `next` does.
  explicit EdgeRows(const std::string& path);

  bool has_weights() const { return has(kWeight); }
  /// Reads the next row of a topology of `nodes` nodes, if any.
  bool next(int nodes, EdgeRow& row);

 private:
  enum Column { kRound, kSource, kTarget, kWeight, kColumns };
  static constexpr std::array<std::string_view, kColumns> kNames = {"round", "source", "target", "weight"};

  bool has(Column column) const;
  bool next_line();
  void read_header();
  void check_columns() const;
  int node(Column column, std::string_view text, int nodes) const;

  TextLines lines_;
  std::vector<std::string_view> cells_;  ///< of the line
  bool by_commas_ = false;
  bool is_pending_ = false;       ///< the line is the first row
  std::vector<Column> columns_;   ///< in the order of the cells
  std::optional<int> all_nodes_;  ///< as the file says
};

}  // namespace sparsepush
