// What rows are called, and in which keys they differ.
#pragma once
#include <string>
#include <vector>

#include "host/config/config_fields.h"
#include "host/reports/report_rows.h"

namespace sparsepush {

/// Returns whether the key counts in the configuration.
bool counts_in(const Field& field, const Config& config);
/// Returns a key's value for comparison, of a file its content's hash. Throws InputError if the file cannot be read.
std::string compared_words(const Field& field, const Config& config);
/// Returns a key's value for readers, of a file its name.
std::string shown_words(const Field& field, const Config& config);

/// Lists the keys that change results and in which rows differ, where they count; without seeds and replicas.
std::vector<const Field*> keys_that_differ(const std::vector<ReportRow>& rows);

/// Labels all rows, each differently: the names of points, else method and the keys that differ, else folders.
void set_labels(std::vector<ReportRow>& rows);

}  // namespace sparsepush
