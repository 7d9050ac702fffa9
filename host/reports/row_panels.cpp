#include "host/reports/row_panels.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/reports/row_labels.h"

namespace sparsepush {
namespace {

/// Returns keys and values of what decides which samples a node learns from, and how many nodes there are.
std::string data_key(const Config& config) {
  static const std::set<std::string> left_out = {"data.path", "data.seed", "data.batch", "data.augment"};
  std::string key = fmt::format("{}", config.run.nodes);
  for (const Field& field : config_fields())
    if (field.section == "data" && !left_out.contains(field.name()) && counts_in(field, config))
      key += fmt::format("|{}={}", field.key, compared_words(field, config));
  return key;
}

std::string topology_key(const Config& config) {
  std::string key;
  for (const Field& field : config_fields())
    if (field.section == "topology" && counts_in(field, config))
      key += fmt::format("|{}={}", field.key, compared_words(field, config));
  return key;
}

/// Returns "synthetic, skew=0.8 · random_out, degree=3 · 8 nodes", with other keys where they differ between panels.
std::string panel_title(const Config& config, const std::vector<const Field*>& differ) {
  std::string data, topology;
  const auto is_said = [&](const Field& field) {
    static const std::set<std::string> always = {"data.partition", "data.skew", "data.alpha", "data.shards"};
    return always.contains(field.name()) || std::ranges::find(differ, &field) != differ.end();
  };
  for (const Field& field : config_fields()) {
    if (!counts_in(field, config) || field.name() == "data.batch") continue;
    std::string& part = field.section == "data" ? data : topology;
    if (field.section != "data" && field.section != "topology") continue;
    if (field.key == "name")
      part = shown_words(field, config);
    else if (is_said(field))
      part += fmt::format(", {}={}", field.key, shown_words(field, config));
  }
  return fmt::format("{}{} · {} nodes", data, topology.empty() ? "" : " · " + topology, config.run.nodes);
}

}  // namespace

bool has_topology(const Config& config) {
  for (const Field& field : config_fields())
    if (field.name() == "topology.name") return counts_in(field, config);
  return false;
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
