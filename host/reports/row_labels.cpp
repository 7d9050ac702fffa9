#include "host/reports/row_labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "host/config/config_values.h"
#include "host/recipe/methods.h"
#include "host/tables/points.h"
#include "host/tables/value_words.h"

namespace sparsepush {
namespace {

bool is_length_key(const std::string& name) {
  return name == "run.steps" || name == "run.epochs" || name == "algorithm.final_rounds";
}

/// Names a key as names of points do: without its section, or by the section instead of "name".
std::string short_key(const Field& field, const std::vector<const Field*>& among) {
  const auto word = [](const Field& of) { return of.key == "name" ? of.section : of.key; };
  const auto same = std::ranges::count_if(among, [&](const Field* other) { return word(*other) == word(field); });
  return same > 1 ? field.name() : std::string(word(field));
}

/// Keys in which rows of one method differ.
using KeysOfMethods = std::set<std::pair<std::string, const Field*>>;

KeysOfMethods keys_within_methods(const std::vector<const Field*>& keys, const std::vector<ReportRow>& rows) {
  std::map<std::pair<std::string, const Field*>, std::string> first;
  KeysOfMethods differ;
  for (const Field* field : keys) {
    for (const ReportRow& row : rows) {
      if (!counts_in(*field, row.config())) continue;
      const std::string words = compared_words(*field, row.config());
      const auto [known, is_new] = first.try_emplace({row.method, field}, words);
      if (!is_new && known->second != words) differ.insert(known->first);
    }
  }
  return differ;
}

/// Returns whether the averaging rate is the one that method, compressor and keep stand for.
bool is_default_rate(const Field& field, const Config& config) {
  return field.name() == "algorithm.averaging_rate" &&
         config.algorithm.averaging_rate == default_averaging_rate(recipe_of(config), config.algorithm);
}

/// Labels a row by its settings, without those of [algorithm] that follow from others.
std::string settings_label(const ReportRow& row, const std::vector<const Field*>& keys, const KeysOfMethods& within) {
  std::string label = row.method;
  for (const Field* field : keys)
    if (counts_in(*field, row.config()) && !is_default_rate(*field, row.config()) &&
        (field->section != "algorithm" || within.contains({row.method, field})))
      label += fmt::format(", {}={}", short_key(*field, keys), shown_words(*field, row.config()));
  return label;
}

/// Returns the name of a point, or of several that differ in their seeds: what their names have in common.
std::string point_label(const ReportRow& row) {
  std::string name = row.runs.front()->point;
  if (row.runs.size() == 1) return name;
  for (const char* key : {"seed", "replicas", "run.seed", "run.replicas"}) {
    const std::string part = fmt::format(", {}=", key);
    const std::size_t at = name.rfind(part);
    if (at == std::string::npos) continue;
    const std::size_t end = name.find(", ", at + part.size());
    name.erase(at, end == std::string::npos ? end : end - at);
  }
  return name;
}

/// Lists the rows that share a label with others.
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

}  // namespace

bool counts_in(const Field& field, const Config& config) { return why_unused(field, config) == nullptr; }

std::string compared_words(const Field& field, const Config& config) {
  if (!field.is_file) return exact_words_of_value(field, config);
  Config copy = config;
  return hashed_text(field, field.member(copy));
}

std::string shown_words(const Field& field, const Config& config) {
  const std::string words = words_of_value(field, config);
  return field.is_file ? std::filesystem::path(words).filename().string() : words;
}

std::vector<const Field*> keys_that_differ(const std::vector<ReportRow>& rows) {
  std::vector<const Field*> keys;
  for (const Field& field : config_fields()) {
    if (is_repetition(field) || !(field.changes_bits || is_length_key(field.name()))) continue;
    std::set<std::string> values;
    for (const ReportRow& row : rows)
      if (counts_in(field, row.config())) values.insert(compared_words(field, row.config()));
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

}  // namespace sparsepush
