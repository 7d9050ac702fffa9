#include "host/records/tensorboard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <optional>
#include <type_traits>

#include "data/files/durable_file.h"
#include "data/files/text_lines.h"
#include "host/config/config_fields.h"
#include "host/config/config_values.h"
#include "host/records/event_file.h"
#include "host/records/number_table.h"
#include "host/records/run_times.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

/// Returns the tag of a column, empty if it has none. What TensorBoard shows in one group stands before the slash.
std::string tag_of(std::string_view column) {
  if (column == "replica" || column == "step" || column == "epoch") return "";
  for (const auto& [prefix, group] : {std::pair("u_", "push_weight"), std::pair("bytes_", "bytes")})
    if (column.starts_with(prefix)) return fmt::format("{}/{}", group, column.substr(std::strlen(prefix)));
  for (const std::string_view suffix : {"_loss", "_mean_model", "_mean", "_min", "_max"}) {
    if (!column.ends_with(suffix)) continue;
    const std::string_view rest = column.substr(0, column.size() - suffix.size());
    return suffix == "_loss" ? fmt::format("loss/{}", rest) : fmt::format("{}/{}", rest, suffix.substr(1));
  }
  return std::string(column);
}

/// Returns when the run first took its folder, in seconds since 1970: nothing writes into the lock.
double began_at(const fs::path& lock) {
  struct stat status {};
  if (stat(lock.c_str(), &status) != 0) return 0;
  return static_cast<double>(status.st_mtim.tv_sec);
}

/// Turns values into hyperparameters: numbers, words and yes or no as they are, lists as TOML.
struct AsHyperparameter {
  template <class Value>
  Hyperparameter operator()(Value* value) const {
    if constexpr (std::is_same_v<Value, bool> || std::is_same_v<Value, std::string>)
      return *value;
    else if constexpr (std::is_arithmetic_v<Value>)
      return static_cast<double>(*value);
    else
      return value_text(value);
  }
  template <class Number>
  Hyperparameter operator()(std::optional<Number>* value) const {
    return *value ? Hyperparameter(static_cast<double>(**value)) : Hyperparameter(std::string("auto"));
  }
};

/// Lists the keys that count and are not at their default.
std::vector<std::pair<std::string, Hyperparameter>> hyperparameters_of(const Config& config) {
  Config copy = config, defaults;
  std::vector<std::pair<std::string, Hyperparameter>> found;
  for (const Field& field : config_fields()) {
    const Member member = field.member(copy);
    if (why_unused(field, config) || value_text(member) == value_text(field.member(defaults))) continue;
    found.emplace_back(field.name(), std::visit(AsHyperparameter{}, member));
  }
  return found;
}

fs::path file_of(const fs::path& folder, std::size_t replica) {
  return folder / fmt::format("replica_{}", replica) / "events.out.tfevents.sparsepush";
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw_file_error("create the folder", path.string(), error.value());
}

}  // namespace

TensorBoardFiles::TensorBoardFiles(const RunFolder& folder, const Config& config)
    : folder_(folder.file("tensorboard")), replicas_(static_cast<std::size_t>(config.run.replicas)) {
  const double began = began_at(folder.file(".lock"));
  const auto hyperparameters = hyperparameters_of(config);
  const std::string group = results_hash(config);
  for (std::size_t replica = 0; replica < replicas_; ++replica) {
    make_folder(file_of(folder_, replica).parent_path());
    OpenFile(file_of(folder_, replica), O_WRONLY | O_CREAT | O_TRUNC)
        .append(first_record(began) + session_start_record(began, group, hyperparameters));
  }
  copy_metrics(folder.path(), began);
}

void TensorBoardFiles::copy_metrics(const fs::path& folder, double began) {
  const std::vector<RunTime> times = read_run_times(folder);
  const auto wall_time_at = [&](std::int64_t step) {
    const auto time = std::ranges::lower_bound(times, step, {}, &RunTime::step);
    return time == times.end() ? began : began + time->seconds;
  };
  began_ = last_ = began + (times.empty() ? 0 : times.back().seconds);
  std::ifstream file(folder / "metrics.csv", std::ios::binary);
  std::string line;
  std::getline(file, line);
  columns_.clear();
  for (const std::string_view column : fields_of(line)) columns_.emplace_back(column);
  std::vector<std::string> records(replicas_);
  while (std::getline(file, line)) add_record(line, wall_time_at, records);
  write(records);
}

void TensorBoardFiles::append(const std::vector<std::string>& lines, double seconds) {
  last_ = began_ + std::round(1000 * seconds) / 1000;  // as timing.csv has it
  const auto now = [this](std::int64_t) { return last_; };
  std::vector<std::string> records(replicas_);
  for (const std::string& line : lines) add_record(line, now, records);
  write(records);
}

void TensorBoardFiles::end(bool succeeded) const {
  write(std::vector<std::string>(replicas_, session_end_record(last_, succeeded)));
}

void TensorBoardFiles::add_record(const std::string& line, const std::function<double(std::int64_t)>& wall_time_at,
                                  std::vector<std::string>& records) const {
  std::size_t replica = 0;
  std::int64_t step = 0;
  std::vector<std::pair<std::string, float>> scalars;
  const auto fields = fields_of(line);
  for (std::size_t c = 0; c < std::min(fields.size(), columns_.size()); ++c) {
    if (columns_[c] == "replica") replica = number_of<std::size_t>(fields[c]).value_or(replicas_);
    if (columns_[c] == "step") step = number_of<std::int64_t>(fields[c]).value_or(0);
    const auto value = number_of<double>(fields[c]);  // none where the field is empty
    if (const std::string tag = tag_of(columns_[c]); value && !tag.empty())
      scalars.emplace_back(tag, static_cast<float>(*value));
  }
  if (replica < replicas_) records[replica] += scalars_record(wall_time_at(step), step, scalars);
}

void TensorBoardFiles::write(const std::vector<std::string>& records) const {
  for (std::size_t replica = 0; replica < replicas_; ++replica) {
    const std::string file = file_of(folder_, replica);
    std::error_code error;  // whoever has removed the file does not want it
    if (!records[replica].empty() && std::filesystem::exists(file, error))
      OpenFile(file, O_WRONLY | O_APPEND).append(records[replica]);
  }
}

}  // namespace sparsepush
