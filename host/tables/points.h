// The points of a table: one configuration each, and the rows that they are shown in.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "host/tables/sweep.h"

namespace sparsepush {

/// Values of the grid's keys as CSV files have them; none where a key does not count.
using GridValues = std::vector<std::optional<std::string>>;

/// One run of a table, told from others by its configuration alone, wherever that stands in the file.
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
  GridValues values = {};  ///< values of its points, without run.seed and run.replicas
  std::vector<int> points = {};
};

/// Makes all points of the table, each configuration once: named ones in the order of the file, the grid's last key
/// fastest. `overrides` change the base. Throws InputError with file, line, point and key.
std::vector<TablePoint> make_points(const toml::table& document, const Sweep& sweep, const Origins& origins,
                                    const std::vector<std::string>& overrides);

/// Sorts the points into rows. Throws InputError where points of different settings have the same name, or a seed
/// occurs twice in a row.
std::vector<Row> make_rows(const std::vector<TablePoint>& points, const Sweep& sweep);

/// Lists the keys of the base that count for no point, as a line for the user; empty if there are none.
std::string unused_base_keys(const toml::table& document, const std::vector<TablePoint>& points,
                             const Origins& origins);

/// Says which rows are several named points, as a line for the user; empty if none is.
std::string rows_of_several_names(const std::vector<Row>& rows);

/// Returns the name of a point's folder: letters, digits and ._=- of its name, and the first 8 digits of its id.
std::string folder_name(const TablePoint& point);

/// Returns the digits of the id that a folder of this name ends with; empty if no folder of a point is called so.
std::string id_of_folder(const std::string& name);
/// Returns the first 8 digits of the point's id.
std::string short_id(const TablePoint& point);

/// Throws InputError about a point: names the line of the key or point where `message` does not.
[[noreturn]] void refuse_point(const TablePoint& point, const std::string& message);

/// Returns whether rows are means over this key's values.
bool is_repetition(const Field& field);

/// Returns a key without its section, or the section alone of a key "name"; the whole name if another key of the grid
/// would be called the same.
std::string short_name(const Field& field, const std::vector<SweptKey>& grid);

}  // namespace sparsepush
