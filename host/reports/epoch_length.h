// How many steps an epoch of a run has.
#pragma once
#include <cstdint>
#include <optional>

#include "host/reports/report_run.h"

namespace sparsepush {

/// Finds the steps of an epoch: the column `epoch` of metrics.csv tells between which numbers they lie, and the
/// configuration and partition.csv which one it is. None where the run has no epochs, or these leave it open by more
/// than a hundredth.
std::optional<std::int64_t> epoch_length(const ReportRun& run);

/// Returns whether the run counts epochs, however long they are.
bool has_epochs(const ReportRun& run);

}  // namespace sparsepush
