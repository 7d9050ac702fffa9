// [table] and [[claim]] of a table's file.
#pragma once
#include "host/tables/table_file.h"

namespace sparsepush {

/// Reads [table]; everything is optional. Needs the file's sweep and points. Throws InputError.
TableSettings read_table_settings(const TableFile& file, const Origins& origins);

/// Reads every [[claim]]. Needs the settings, too. Throws InputError, also where a claim is about no row.
std::vector<Claim> read_claims(const TableFile& file, const Origins& origins);

/// Finds the row that each row is compared with: the one that matches the reference and agrees with it otherwise. Empty
/// without a reference. Throws InputError where a row has none, or several, or one without a seed of the row.
std::vector<int> find_reference_rows(const TableFile& file);

}  // namespace sparsepush
