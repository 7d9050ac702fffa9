// [sweep] of a table's file: which keys take which values.
#pragma once
#include <toml++/toml.h>

#include <string>
#include <vector>

#include "host/config/config_fields.h"
#include "host/config/config_toml.h"

namespace sparsepush {

/// A key with its value, as a file has it. Nodes of TOML belong to the document that they were read from.
struct KeyValue {
  const Field* field = nullptr;
  const toml::node* value = nullptr;
  std::string where = {};  ///< "iid.toml:3"
};

/// A key of the grid, which takes each of its values.
struct SweptKey {
  const Field* field = nullptr;
  std::vector<const toml::node*> values = {};
  std::string where = {};
  bool is_exact = false;  ///< names have its values with all digits: as %g two of them are the same
};

/// Settings of their own, crossed with the grid.
struct NamedPoint {
  std::string name = {};  ///< empty: the method's
  std::vector<KeyValue> settings = {};
  std::string where = {};
};

struct Sweep {
  std::vector<SweptKey> grid = {};      ///< in the order of the file
  std::vector<NamedPoint> points = {};  ///< at least one, perhaps without settings
};

/// Lists the keys of `table` in the order of the file, keys of tables within it as "section.key", without `name`.
/// Throws InputError for a key that no configuration has.
std::vector<KeyValue> key_values(const toml::table& table, const Origins& origins);

/// Reads [sweep] of `document`. Throws InputError with file, line and key.
Sweep read_sweep(const toml::table& document, const Origins& origins);

}  // namespace sparsepush
