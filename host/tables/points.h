// The points of a table: one configuration each, and the rows that they are shown in.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/tables/sweep.h"

namespace sparsepush {

/// Of each key of the grid as in CSV files; none where the key does not count.
using GridValues = std::vector<std::optional<std::string>>;

/// One run of a table. It is what its configuration is, wherever that stands in the file.
struct TablePoint {
  std::string name = {};                 ///< "Sparse-Push, keep=0.01, skew=0.8"
  std::vector<std::string> series = {};  ///< the named point, or the method; several where they resolve to the same
  GridValues values = {};
  std::string id = {};     ///< results_hash of its configuration
  std::string where = {};  ///< the line of the file that it comes from
  Config config = {};
  Config as_written = {};  ///< names of files as the table's file has them
  Origins origins{""};
};

/// Points that differ in run.seed and run.replicas only: the table's line is a mean over all of their replicas.
struct Row {
  std::string name = {};
  std::vector<std::string> series = {};
  GridValues values = {};  ///< those of its points, without run.seed and run.replicas
  std::vector<int> points = {};
};

/// All points of the table, each configuration once: named ones in the order of the file, the grid's last key fastest.
/// `overrides` change the base. Throws InputError with file, line, point and key.
std::vector<TablePoint> make_points(const toml::table& document, const Sweep& sweep, const Origins& origins,
                                    const std::vector<std::string>& overrides);

/// Throws InputError where two rows have the same name, or a seed occurs twice in one.
std::vector<Row> make_rows(const std::vector<TablePoint>& points, const Sweep& sweep);

/// Keys of the base that count for no point, as a line for the user; empty if there are none.
std::string unused_base_keys(const toml::table& document, const std::vector<TablePoint>& points,
                             const Origins& origins);

/// Which rows are several named points, as a line for the user; empty if none is.
std::string rows_of_several_names(const std::vector<Row>& rows);

/// Name for a folder: letters, digits and ._=- of the point's name, and the first 8 digits of its id.
std::string folder_name(const TablePoint& point);

/// The digits of the id that a folder of this name ends with; empty if none of a table is called so.
std::string id_of_folder(const std::string& name);
/// The same of a point.
std::string short_id(const TablePoint& point);

/// What an error about a point says: where `message` does not, it names the line of the key or point.
[[noreturn]] void refuse_point(const TablePoint& point, const std::string& message);

/// Whether rows are means over this key's values.
bool is_repetition(const Field& field);

/// A key without its section, or that alone of a key "name", unless another one of the grid is called so, too.
std::string short_name(const Field& field, const std::vector<SweptKey>& grid);

}  // namespace sparsepush
