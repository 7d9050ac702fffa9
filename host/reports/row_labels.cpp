#include "host/reports/row_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/algorithms/methods.h"
#include "host/tables/points.h"
#include "host/tables/value_words.h"

namespace sparsepush {
namespace {

bool counts_in(const Field& field, const Config& config) { return why_unused(field, config) == nullptr; }

bool is_length_key(const std::string& name) { return name == "run.steps" || name == "run.epochs"; }

std::string short_key(const Field& field, const std::vector<const Field*>& among) {
  const auto same = std::ranges::count_if(among, [&](const Field* other) { return other->key == field.key; });
  return same > 1 ? field.name() : std::string(field.key);
}

/// Keys in which rows of one method differ.
using KeysOfMethods = std::set<std::pair<std::string, const Field*>>;

KeysOfMethods keys_within_methods(const std::vector<const Field*>& keys, const std::vector<ReportRow>& rows) {
  std::map<std::pair<std::string, const Field*>, std::string> first;
  KeysOfMethods differ;
  for (const Field* field : keys) {
    for (const ReportRow& row : rows) {
      if (!counts_in(*field, row.config())) continue;
      const std::string words = exact_words_of_value(*field, row.config());
      const auto [known, is_new] = first.try_emplace({row.method, field}, words);
      if (!is_new && known->second != words) differ.insert(known->first);
    }
  }
  return differ;
}

/// Whether the averaging rate is the one that method, compressor and keep stand for.
bool is_default_rate(const Field& field, const Config& config) {
  return field.name() == "algorithm.averaging_rate" &&
         config.algorithm.averaging_rate == default_averaging_rate(rows_of(config), config.algorithm);
}

/// Settings of [algorithm] that follow from others are left out.
std::string settings_label(const ReportRow& row, const std::vector<const Field*>& keys, const KeysOfMethods& within) {
  std::string label = row.method;
  for (const Field* field : keys)
    if (counts_in(*field, row.config()) && !is_default_rate(*field, row.config()) &&
        (field->section != "algorithm" || within.contains({row.method, field})))
      label += fmt::format(", {}={}", short_key(*field, keys), words_of_value(*field, row.config()));
  return label;
}

/// The name of a point, or of several that differ in their seeds: what their names have in common.
std::string point_label(const ReportRow& row) {
  std::string name = row.runs.front()->point;
  if (row.runs.size() == 1) return name;
  for (const char* key : {"seed", "replicas", "run.seed", "run.replicas"}) {
    const std::string part = fmt::format(", {}=", key);
    const std::size_t at = name.find(part);
    if (at == std::string::npos) continue;
    const std::size_t end = name.find(", ", at + part.size());
    name.erase(at, end == std::string::npos ? end : end - at);
  }
  return name;
}

/// The rows that share a label with others.
std::vector<ReportRow*> with_same_label(std::vector<ReportRow>& rows) {
  std::map<std::string, std::vector<ReportRow*>> of_label;
  for (ReportRow& row : rows) of_label[row.style.label].push_back(&row);
  std::vector<ReportRow*> same;
  for (auto& [label, some] : of_label)
    if (some.size() > 1) same.insert(same.end(), some.begin(), some.end());
  return same;
}

std::string folder_label(const ReportRow& row) {
  return std::filesystem::path(row.runs.front()->shown).filename().string();
}

/// Key and value of what decides which samples a node learns from, and how many nodes there are.
std::string data_key(const Config& config) {
  static const std::set<std::string> left_out = {"data.path", "data.seed", "data.batch", "data.augment"};
  std::string key = fmt::format("{}", config.run.nodes);
  for (const Field& field : config_fields())
    if (field.section == "data" && !left_out.contains(field.name()) && counts_in(field, config))
      key +=
          fmt::format("|{}={}", field.key, field.is_file ? std::string("file") : exact_words_of_value(field, config));
  return key;
}

std::string topology_key(const Config& config) {
  std::string key;
  for (const Field& field : config_fields())
    if (field.section == "topology" && counts_in(field, config))
      key += fmt::format("|{}={}", field.key, exact_words_of_value(field, config));
  return key;
}

/// "synthetic, skew=0.8 · random_out, degree=3 · 8 nodes", with other keys where they differ between panels.
std::string panel_title(const Config& config, const std::vector<const Field*>& differ) {
  std::string data, topology;
  const auto is_said = [&](const Field& field) {
    static const std::set<std::string> always = {"data.partition", "data.skew", "data.alpha", "data.shards"};
    return always.contains(field.name()) || std::ranges::find(differ, &field) != differ.end();
  };
  for (const Field& field : config_fields()) {
    if (!counts_in(field, config) || field.is_file || field.name() == "data.batch") continue;
    std::string& part = field.section == "data" ? data : topology;
    if (field.section != "data" && field.section != "topology") continue;
    if (field.key == "name")
      part = words_of_value(field, config);
    else if (is_said(field))
      part += fmt::format(", {}={}", field.key, words_of_value(field, config));
  }
  return fmt::format("{}{} · {} nodes", data, topology.empty() ? "" : " · " + topology, config.run.nodes);
}

}  // namespace

bool has_topology(const Config& config) {
  for (const Field& field : config_fields())
    if (field.name() == "topology.name") return counts_in(field, config);
  return false;
}

std::vector<const Field*> keys_that_differ(const std::vector<ReportRow>& rows) {
  std::vector<const Field*> keys;
  for (const Field& field : config_fields()) {
    if (is_repetition(field) || !(field.changes_bits || is_length_key(field.name()))) continue;
    std::set<std::string> values;
    for (const ReportRow& row : rows)
      if (counts_in(field, row.config())) values.insert(exact_words_of_value(field, row.config()));
    if (values.size() > 1) keys.push_back(&field);
  }
  return keys;
}

void set_labels(std::vector<ReportRow>& rows) {
  std::vector<ReportRow> others;  // than points, which have names
  for (ReportRow& row : rows) {
    if (!row.runs.front()->point.empty()) row.point = point_label(row);
    if (row.point.empty()) others.push_back(row);
  }
  const auto keys = keys_that_differ(others);
  const KeysOfMethods within = keys_within_methods(keys, others);
  for (ReportRow& row : rows) {
    row.style.label = !row.point.empty() ? row.point
                      : keys.empty()     ? folder_label(row)
                                         : settings_label(row, keys, within);
  }
  for (ReportRow* row : with_same_label(rows)) {
    const ReportRun& run = *row->runs.front();
    row->style.label = row->point.empty() ? folder_label(*row) : fmt::format("{} ({})", row->point, run.table);
  }
  for (ReportRow* row : with_same_label(rows)) row->style.label = row->runs.front()->shown;
  int number = 0;
  for (ReportRow* row : with_same_label(rows)) row->style.label += fmt::format(" ({})", ++number);
}

std::vector<RowPanel> make_panels(const std::vector<ReportRow>& rows) {
  const auto differ = keys_that_differ(rows);
  std::vector<RowPanel> panels;
  std::map<std::string, std::size_t> of_key;
  std::multimap<std::string, std::size_t> of_data;
  const auto panel_of_key = [&](const std::string& key, const Config& config) {
    const auto [known, is_new] = of_key.try_emplace(key, panels.size());
    if (is_new) {
      panels.push_back({.title = panel_title(config, differ)});
      of_data.emplace(data_key(config), panels.size() - 1);
    }
    return known->second;
  };
  for (const ReportRow& row : rows)
    if (has_topology(row.config())) panel_of_key(data_key(row.config()) + topology_key(row.config()), row.config());
  for (const ReportRow& row : rows) {
    const std::string data = data_key(row.config());
    if (has_topology(row.config())) {
      panels[panel_of_key(data + topology_key(row.config()), row.config())].rows.push_back(&row);
    } else if (of_data.contains(data)) {
      for (auto [it, end] = of_data.equal_range(data); it != end; ++it) panels[it->second].rows.push_back(&row);
    } else {
      panels[panel_of_key(data, row.config())].rows.push_back(&row);
    }
  }
  return panels;
}

void set_dashes(std::vector<ReportRow>& rows, const std::vector<RowPanel>& panels) {
  static const std::vector<std::string> dashes = {"",     "7 3",         "2 3", "9 3 2 3",
                                                  "14 4", "5 2 2 2 2 2", "1 2", "12 3 4 3"};
  std::map<const ReportRow*, std::size_t> numbers;
  for (const RowPanel& panel : panels) {
    std::map<std::string, std::size_t> of_method;
    for (const ReportRow* row : panel.rows)
      if (numbers.try_emplace(row, of_method[row->method]).second) ++of_method[row->method];
  }
  constexpr double kWider = 2.8;  // pixels: once all dashes are taken
  for (ReportRow& row : rows) {
    const std::size_t number = numbers.at(&row);
    row.style.dash = dashes[number % dashes.size()];
    if (number / dashes.size() % 2 == 1) row.style.width = kWider;
  }
}

}  // namespace sparsepush
