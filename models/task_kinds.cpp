#include "models/task_kinds.h"

#include "data/sets/data_sources.h"
#include "data/table.h"
#include "models/network_task.h"
#include "models/quadratic_task.h"

namespace sparsepush {

const std::vector<TaskKind>& task_kinds() {
  static const std::vector<TaskKind> table = {network_kind(), quadratic_kind()};
  return table;
}

const TaskKind& kind_of_task(std::string_view data) {
  return row_named(task_kinds(), "kind of task", row_named(data_sources(), "data.name", data).task);
}

}  // namespace sparsepush
