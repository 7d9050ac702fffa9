// A table's file, read and checked: points, rows, columns and claims.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/tables/columns.h"
#include "host/tables/row_pattern.h"

namespace sparsepush {

/// What Markdown and LaTeX print behind a mean.
enum class Spread { kNone, kSd, kInterval };

/// What [table] says.
struct TableSettings {
  std::vector<Column> columns = {};
  std::string columns_where = {};  ///< file and line of the columns
  Reading reading = {};
  std::optional<RowPattern> reference = {};
  std::string across = {};  ///< a key of the grid whose values stand side by side; empty: one row each
  Spread spread = Spread::kSd;
  std::map<std::string, std::string> labels = {};  ///< texts for keys, "key=value" and columns
};

enum class Bound { kAtMost, kAtLeast, kNear };

struct Claim {
  std::string name = {}, source = {};
  std::string where = {};
  Column column = {};
  Bound relation = Bound::kAtMost;
  double bound = 0, tolerance = 0;
  bool judged = true;
  std::vector<int> rows = {};  ///< numbers of the rows that it is about
};

struct TableFile {
  std::string text = {};                       ///< content of the file
  std::unique_ptr<toml::table> document = {};  ///< the document that the sweep's values belong to
  Sweep sweep = {};
  std::vector<TablePoint> points = {};
  std::vector<Row> rows = {};
  TableSettings settings = {};
  std::vector<Claim> claims = {};
  std::vector<int> reference_rows = {};    ///< [rows] empty where nothing is compared
  std::vector<std::string> warnings = {};  ///< lines for the user

  /// Returns the text for a key, "key=value" or column: its label, or `otherwise`.
  std::string label(const std::string& of, const std::string& otherwise) const;
};

/// Returns whether `text`, the content of the file `path`, has a section [sweep]. Throws InputError if it is no TOML.
bool is_table(const std::string& text, const std::string& path);

/// Reads `text`, the content of the file `path`; `overrides` change its base. Throws InputError.
TableFile parse_table(const std::string& text, const std::vector<std::string>& overrides, const std::string& path);

/// Reads the file `path`; `overrides` change its base. Throws InputError.
TableFile load_table(const std::string& path, const std::vector<std::string>& overrides);

}  // namespace sparsepush
