#include "host/tables/point_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <type_traits>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/memory_plan.h"
#include "host/config/spelling.h"
#include "host/descriptions/run_plan.h"
#include "host/records/metrics.h"
#include "host/records/number_table.h"
#include "host/state/backend_choice.h"
#include "host/state/experiment.h"
#include "host/tables/launches.h"

namespace sparsepush {
namespace {

std::vector<std::string> columns_of(const Experiment& experiment) {
  const bool counts_syncs = contains(experiment.recipe().method.state, state::syncs);
  const std::string header = metrics_header(experiment.task().scores(), counts_syncs);
  const auto columns = fields_of(header);
  return {columns.begin(), columns.end()};
}

/// Counts the rows up to the last SGD step; the first is at step 0.
std::int64_t evaluations_of(const Schedule& schedule) {
  return 1 + schedule.evaluations_after(0) - schedule.evaluations_after(schedule.sgd_steps());
}

/// What has been checked of the points before: a thousand of them often differ in little.
class Checked {
 public:
  explicit Checked(bool memory) : memory_(memory) {}

  /// Returns whether the backend is that of this machine.
  bool runs_here() const { return memory_; }

  template <class Backend>
  void check(Experiment& experiment, const MemoryPlan& plan) {
    const std::int64_t host = plan.part(false).total(), backend = plan.part(true).total();
    if (memory_ && (host > largest_host_ || backend > largest_backend_)) {
      check_memory_fits<Backend>(plan);
      largest_host_ = std::max(host, largest_host_);
      largest_backend_ = std::max(backend, largest_backend_);
    }
    Config same = experiment.config();
    same.optimizer = {};  // it decides about nothing that check_run looks at, data and weights
    if (configs_.insert(to_toml(same)).second) check_run(experiment);
  }

 private:
  bool memory_;
  std::int64_t largest_host_ = 0, largest_backend_ = 0;
  std::set<std::string> configs_;
};

template <class Backend>
PointPlan plan_point(const TablePoint& point, Checked& checked) try {
  if (std::is_same_v<Backend, Cpu> || checked.runs_here())  // another GPU may have what this one lacks
    check_products<Backend>(point.config, "the table runs on the CPU");
  Experiment experiment(point.config);
  const MemoryPlan memory = plan_memory<Backend>(experiment);
  checked.check<Backend>(experiment, memory);
  double bytes = 0;
  bool is_exact = !experiment.recipe().method.monitor;
  for (const PlannedTraffic& replica : planned_traffic(experiment)) {
    bytes += replica.wire_bound;
    is_exact = is_exact && replica.is_exact;
  }
  return {.hash = experiment.hash(),
          .sgd_steps = experiment.schedule().sgd_steps(),
          .final_rounds = experiment.schedule().final_rounds(),
          .epoch_steps = experiment.task().steps_per_epoch(),
          .evaluations = evaluations_of(experiment.schedule()),
          .memory = static_cast<double>(memory.total()),
          .bytes_wire = bytes,
          .bytes_are_exact = is_exact,
          .columns = columns_of(experiment)};
} catch (const InputError& error) {
  refuse_point(point, error.what());
}

}  // namespace

template <class Backend>
std::vector<PointPlan> plan_points(const TableFile& file, bool check_memory) {
  std::vector<PointPlan> plans;
  Checked checked(check_memory);
  for (const TablePoint& point : file.points) plans.push_back(plan_point<Backend>(point, checked));
  number_launches(file.points, plans);
  return plans;
}

void check_metrics(const TableFile& file, const std::vector<PointPlan>& plans) {
  std::set<std::string> known{"seconds"};
  for (const PointPlan& plan : plans) known.insert(plan.columns.begin(), plan.columns.end());
  known.erase("replica");
  const auto check = [&](const Column& column, const std::string& where) {
    for (std::size_t p = 0; p < plans.size(); ++p)
      if (column.when == When::kMean && column.rows > plans[p].evaluations)
        throw InputError("{}: {}: point {} has only {} evaluations up to its last SGD step", where,
                         in_quotes(column.text), in_quotes(file.points[p].name), plans[p].evaluations);
    if (known.contains(column.metric)) return;
    throw InputError("{}: {}: unknown metric {}; did you mean \"{}\"?", where, in_quotes(column.text),
                     in_quotes_short(column.metric), nearest_word(column.metric, {known.begin(), known.end()}));
  };
  for (const Column& column : file.settings.columns) check(column, file.settings.columns_where);
  for (const Claim& claim : file.claims) check(claim.column, claim.where);
}

template <class Backend>
std::vector<double> launch_memory(const TableFile& file, const std::vector<PointPlan>& plans) {
  std::vector<std::vector<Config>> launches;
  for (std::size_t p = 0; p < plans.size(); ++p) {
    launches.resize(std::max<std::size_t>(launches.size(), plans[p].launch));
    std::vector<Config>& launch = launches[plans[p].launch - 1];
    if (std::ssize(launch) < kMostPointsAtOnce) launch.push_back(file.points[p].config);
  }
  std::vector<double> memory;
  for (const std::vector<Config>& launch : launches) {
    try {
      memory.push_back(static_cast<double>(plan_memory<Backend>(Experiment(launch)).total()));
    } catch (const InputError&) {  // a table divides it
      memory.push_back(0);
    }
  }
  return memory;
}

std::string describe_points(const TableFile& file, const std::vector<PointPlan>& plans,
                            const std::vector<double>& launch_memory) {
  std::string text = fmt::format("{:>6}  {:>8}  {:>16}  {:>9}  {:>14}  point\n", "launch", "replicas", "steps",
                                 "memory", "sent, at most");
  double steps = 0, bytes = 0, memory = 0;
  std::vector<int> points_of(launch_memory.size());
  for (std::size_t p = 0; p < plans.size(); ++p) {
    const PointPlan& plan = plans[p];
    const int replicas = file.points[p].config.run.replicas;
    const std::string rounds = plan.final_rounds > 0 ? fmt::format(" + {}", plan.final_rounds) : "";
    const std::string sent = (plan.bytes_are_exact ? "" : "about ") + format_bytes(plan.bytes_wire);
    text +=
        fmt::format("{:>6}  {:>8}  {:>16}  {:>9}  {:>14}  {}\n", plan.launch, replicas,
                    fmt::format("{}{}", plan.sgd_steps, rounds), format_bytes(plan.memory), sent, file.points[p].name);
    steps += static_cast<double>(plan.sgd_steps + plan.final_rounds) * replicas;
    bytes += plan.bytes_wire;
    memory = std::max(memory, plan.memory);
    ++points_of[plan.launch - 1];
  }
  text += fmt::format("in all {} points in {} rows: {:.0f} steps of replicas, {} of memory for the largest, {} sent\n",
                      plans.size(), file.rows.size(), steps, format_bytes(memory), format_bytes(bytes));
  text += fmt::format(
      "{} launches: on a GPU, and on the CPU with --jobs 1, their points are trained side by side, as many as memory "
      "holds\n",
      launch_memory.size());
  for (std::size_t launch = 0; launch < launch_memory.size(); ++launch)
    if (points_of[launch] > 1 && launch_memory[launch] > 0)
      text += fmt::format("launch {}: {} of memory for {} points side by side\n", launch + 1,
                          format_bytes(launch_memory[launch]), std::min(points_of[launch], kMostPointsAtOnce));
  return text;
}

template std::vector<double> launch_memory<Cpu>(const TableFile&, const std::vector<PointPlan>&);
template std::vector<double> launch_memory<Cuda>(const TableFile&, const std::vector<PointPlan>&);
template std::vector<PointPlan> plan_points<Cpu>(const TableFile&, bool);
template std::vector<PointPlan> plan_points<Cuda>(const TableFile&, bool);

}  // namespace sparsepush
