#include "host/comparison/compare_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <vector>

#include "data/files/input_error.h"
#include "host/comparison/compare_files.h"
#include "host/config/config_document.h"
#include "host/config/config_values.h"
#include "host/listing/aligned.h"
#include "host/listing/last_row.h"
#include "host/records/run_times.h"
#include "host/tables/run_metrics.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

using Lines = std::vector<std::vector<std::string>>;

/// A key of config.toml.
struct KeyText {
  std::string value = {};  ///< the value as TOML
  std::string file = {};   ///< the file that it names, if it is a key for files
};
using KeyTexts = std::map<std::string, KeyText>;

struct ComparedRun {
  KeyTexts keys = {};
  LastRow last = {};
  std::optional<double> seconds = {};
};

KeyText text_of(const Field* field, const toml::node& value) {
  std::ostringstream text;
  if (const auto* number = value.as_floating_point())
    text << number_text(number->get());  // the library's own text has 17 digits
  else
    value.visit([&](const auto& node) { text << node; });
  const bool is_file = field != nullptr && field->is_file;
  return {.value = on_one_line(text.str()), .file = is_file ? value.value_or(std::string()) : ""};
}

KeyTexts read_keys(const fs::path& folder) {
  const std::string path = folder / "config.toml";
  const toml::table document = parse_document(read_config_text(path), Origins(path));
  KeyTexts keys;
  for (const auto& [section, of_section] : document) {
    if (!of_section.is_table()) throw InputError("{}: expected sections of keys", path);
    for (const auto& [key, value] : *of_section.as_table())
      keys[fmt::format("{}.{}", section.str(), key.str())] = text_of(find_field(section.str(), key.str()), value);
  }
  return keys;
}

std::int64_t replicas_of(const KeyTexts& keys) {
  const auto found = keys.find("run.replicas");
  std::int64_t replicas = 1;
  if (found != keys.end()) std::istringstream(found->second.value) >> replicas;
  return std::clamp<std::int64_t>(replicas, 1, 1'000'000);
}

/// Reads what is compared; a run that has measured nothing yet has no last row.
ComparedRun read_compared(const fs::path& folder) {
  ComparedRun run{.keys = read_keys(folder)};
  if (fs::exists(folder / "metrics.csv")) run.last = read_last_row(folder, replicas_of(run.keys));
  if (const auto times = read_run_times(folder); !times.empty()) run.seconds = times.back().seconds;
  return run;
}

/// Lists the keys that differ, in the value or in the content of the file that they name.
std::string compare_keys(const KeyTexts& a, const KeyTexts& b, const ComparedFiles& files) {
  KeyTexts all = a;
  all.insert(b.begin(), b.end());
  const auto value_in = [](const KeyTexts& keys, const std::string& name) {
    const auto found = keys.find(name);
    return found == keys.end() ? "" : found->second.value;
  };
  Lines rows = {{"key", "A", "B"}};
  for (const auto& [name, text] : all) {
    const std::string of_a = value_in(a, name), of_b = value_in(b, name);
    if (of_a != of_b)
      rows.push_back({on_one_line(name), of_a, of_b});
    else if (files.are_different(text.file))
      rows.push_back({name, of_a, of_b + " of another content"});
  }
  return rows.size() == 1 ? "same configuration\n" : aligned(rows);
}

std::vector<std::string> columns_of_both(const ComparedRun& a, const ComparedRun& b) {
  std::vector<std::string> columns = a.last.columns;
  for (const std::string& column : b.last.columns)
    if (std::ranges::find(columns, column) == columns.end()) columns.push_back(column);
  std::erase(columns, "replica");
  return columns;
}

std::optional<double> value_in(const LastRow& last, const std::string& column) {
  const bool has = std::ranges::find(last.columns, column) != last.columns.end();
  return has ? last.value(column) : std::nullopt;
}

std::string compare_last_rows(const ComparedRun& a, const ComparedRun& b) {
  const std::int64_t of_a = replicas_of(a.keys), of_b = replicas_of(b.keys);
  const std::string means = of_a == 1 && of_b == 1 ? ""
                            : of_a == of_b         ? fmt::format(", mean of {} replicas", of_a)
                                                   : fmt::format(", mean of {} and {} replicas", of_a, of_b);
  Lines rows = {{"last row" + means, "A", "B", "B - A"}};
  for (const std::string& column : columns_of_both(a, b))
    rows.push_back(compared(column, value_in(a.last, column), value_in(b.last, column)));
  rows.push_back(compared("seconds", a.seconds, b.seconds));
  return aligned(rows);
}

}  // namespace

std::string compare_runs(const fs::path& a, const fs::path& b) {
  const ComparedRun run_a = read_compared(a), run_b = read_compared(b);
  const ComparedFiles files = compare_files(a, b);
  std::string text = compare_keys(run_a.keys, run_b.keys, files) + "\n";
  if (files.are_equal("metrics.csv")) text += "same metrics\n";
  return text + describe_files(files) + "\n" + compare_last_rows(run_a, run_b);
}

}  // namespace sparsepush
