#include "host/tables/table_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/config/config_document.h"
#include "host/config/spelling.h"
#include "host/records/metrics.h"
#include "host/records/number_table.h"
#include "host/tables/toml_keys.h"
#include "models/task_kinds.h"

namespace sparsepush {
namespace {

std::vector<Column> columns_of(const std::vector<std::string>& texts, const std::string& where) {
  std::vector<Column> columns;
  for (const std::string& text : texts) columns.push_back(parse_column(text, where));
  return columns;
}

std::vector<Column> default_columns(const std::vector<TablePoint>& points) {
  const bool problem = std::ranges::all_of(
      points, [](const TablePoint& point) { return kind_of_task(point.config.data.name).name == "quadratic"; });
  if (problem) return columns_of({"test_loss", "consensus"}, "");
  return columns_of({"accuracy_mean", "accuracy_mean_model", "consensus", "bytes_wire"}, "");
}

std::vector<Column> read_columns(const TomlKeys& keys, const std::vector<TablePoint>& points) {
  const toml::node* node = keys.node("columns");
  if (!node) return default_columns(points);
  const toml::array* list = node->as_array();
  std::vector<std::string> texts;
  if (!list || list->empty()) keys.refuse("columns", "a list of METRIC[@WHEN][:RELATION]");
  for (const toml::node& entry : *list) {
    if (!entry.is_string()) keys.refuse("columns", "a list of strings");
    texts.push_back(entry.as_string()->get());
  }
  std::set<std::string> seen;
  for (const std::string& text : texts)
    if (!seen.insert(text).second)
      throw InputError("{}: table.columns: {} stands there twice", keys.place("columns"), in_quotes(text));
  return columns_of(texts, keys.place("columns"));
}

bool same_value(const std::string& a, const std::string& b) {
  if (a == b) return true;
  char *end_of_a = nullptr, *end_of_b = nullptr;
  const double x = std::strtod(a.c_str(), &end_of_a), y = std::strtod(b.c_str(), &end_of_b);
  return !a.empty() && !b.empty() && *end_of_a == '\0' && *end_of_b == '\0' && x == y;
}

/// Returns the column, key or "key=value" that `text` names, as tables look it up; empty if it names none.
std::string labelled(const std::string& text, const TableFile& file, const std::vector<Column>& columns) {
  for (const Column& column : columns)
    if (column.text == text) return text;
  for (std::size_t k = 0; k < file.sweep.grid.size(); ++k) {
    const std::string key = file.sweep.grid[k].field->name();
    if (text == key) return text;
    if (!text.starts_with(key + "=")) continue;
    for (const TablePoint& point : file.points)
      if (point.values[k] && same_value(*point.values[k], text.substr(key.size() + 1)))
        return key + "=" + *point.values[k];
  }
  return "";
}

/// Throws InputError for a metric that no run has, whose label would seem to be wrong.
void check_metrics_exist(const std::vector<Column>& columns, const std::string& where) {
  const std::string header = metrics_header({"accuracy"}, true);
  std::vector<std::string_view> known = fields_of(header);
  known.front() = "seconds";  // and not the replica
  for (const Column& column : columns)
    if (std::ranges::find(known, column.metric) == known.end())
      throw InputError("{}: {}: unknown metric {}; did you mean \"{}\"?", where, in_quotes(column.text),
                       in_quotes_short(column.metric), nearest_word(column.metric, known));
}

std::map<std::string, std::string> read_labels(const TomlKeys& keys, const TableFile& file, const Origins& origins,
                                               const std::vector<Column>& columns) {
  std::map<std::string, std::string> labels;
  const toml::node* node = keys.node("labels");
  if (!node) return labels;
  if (!node->is_table()) keys.refuse("labels", "{ \"key\" = \"text\", \"key=value\" = \"text\", ... }");
  for (const auto& [key, value] : *node->as_table()) {
    const std::string where = place_of(origins, key.source());
    const std::string what = labelled(std::string(key.str()), file, columns);
    if (what.empty()) check_metrics_exist(columns, keys.place("columns"));
    if (what.empty())
      throw InputError("{}: table.labels: {} is no column, key of the grid or \"key=value\" of it", where,
                       in_quotes(key.str()));
    if (!value.is_string())
      throw InputError("{}: table.labels: {}: expected a string, got {}", where, in_quotes(key.str()), describe(value));
    labels[what] = value.as_string()->get();
  }
  return labels;
}

/// Throws InputError where a column needs what [table] does not say.
void check_column(const Column& column, const TableSettings& settings, const std::string& where) {
  const auto need = [&](bool is_there, const char* key) {
    if (!is_there) throw InputError("{}: {}: needs table.{}", where, in_quotes(column.text), key);
  };
  need(column.when != When::kReach || settings.reading.reach, "reach");
  need(column.when != When::kFull || settings.reading.full_steps > 0, "full_steps");
  need(column.relation == Relation::kNone || settings.reference, "reference");
}

/// Throws InputError where percent seem to be meant: no accuracy, and no gap between two, is further from 0 than 1.
void check_fraction(double value, const TomlKeys& keys, const char* key) {
  if (std::abs(value) > 1)
    keys.refuse(key, "at most 1 in magnitude: accuracies and their gaps are fractions, such as 0.9 for 90 %");
}

/// Reads the claim's bound, by the one key of the three that is there.
void read_bound(Claim& claim, const TomlKeys& keys) {
  constexpr std::pair<const char*, Bound> kBounds[] = {
      {"at_most", Bound::kAtMost}, {"at_least", Bound::kAtLeast}, {"near", Bound::kNear}};
  int found = 0;
  for (const auto& [key, relation] : kBounds) {
    const auto bound = keys.number(key);
    if (!bound) continue;
    ++found;
    claim.relation = relation;
    claim.bound = *bound;
  }
  if (found != 1)
    throw InputError("{}: claim: expected {} of at_most, at_least, near", keys.where(), found > 1 ? "only one" : "one");
  const auto tolerance = keys.number("tolerance");
  if (claim.relation == Bound::kNear && !tolerance) keys.refuse("tolerance", "a number, with near");
  claim.tolerance = tolerance.value_or(0);
  if (claim.tolerance < 0) keys.refuse("tolerance", "at least 0");
  if (!claim.column.metric.starts_with("accuracy_") || claim.column.relation == Relation::kRatio) return;
  for (const auto& [key, relation] : kBounds)
    if (relation == claim.relation) check_fraction(claim.bound, keys, key);
  check_fraction(claim.tolerance, keys, "tolerance");
}

std::vector<int> rows_of_claim(const TomlKeys& keys, const TableFile& file, const Origins& origins) {
  const toml::node* node = keys.node("row");
  std::vector<int> rows;
  std::optional<RowPattern> pattern;
  if (node) pattern = read_row_pattern(*node, origins, keys.place("row"), false);
  for (int r = 0; r < std::ssize(file.rows); ++r)
    if (!pattern || matches(*pattern, file.rows[r], file.points)) rows.push_back(r);
  if (rows.empty())
    throw InputError("{}: claim.row: {} matches no row of the table; {}", keys.place("row"), pattern->text,
                     why_no_row(*pattern, file.rows, file.points));
  return rows;
}

Claim read_claim(const toml::table& table, const TableFile& file, const Origins& origins) {
  const TomlKeys keys(table, origins, "claim",
                      {"name", "row", "metric", "at_most", "at_least", "near", "tolerance", "source", "judged"});
  const auto required = [&](const char* key) {
    const auto text = keys.text(key);
    if (!text || text->empty()) keys.refuse(key, "a string");
    return *text;
  };
  Claim claim{.where = keys.where()};
  claim.name = required("name");
  claim.source = required("source");
  claim.column = parse_column(required("metric"), keys.place("metric"));
  check_column(claim.column, file.settings, keys.place("metric"));
  read_bound(claim, keys);
  claim.judged = keys.boolean("judged").value_or(true);
  claim.rows = rows_of_claim(keys, file, origins);
  return claim;
}

std::set<std::uint64_t> seeds_of(const Row& row, const std::vector<TablePoint>& points) {
  std::set<std::uint64_t> seeds;
  for (const int p : row.points)
    for (int r = 0; r < points[p].config.run.replicas; ++r) seeds.insert(points[p].config.run.seed + r);
  return seeds;
}

/// Says which keys of the grid tell `rows` apart, which all match the reference.
std::string what_chooses(const std::vector<int>& rows, const TableFile& file) {
  std::vector<std::string> keys;
  for (std::size_t k = 0; k < file.sweep.grid.size(); ++k) {
    const auto& first = file.rows[rows.front()].values[k];
    if (std::ranges::any_of(rows, [&](int r) { return file.rows[r].values[k] != first; }))
      keys.push_back(file.sweep.grid[k].field->name());
  }
  if (keys.empty()) return "give the reference the name of one";
  return fmt::format("they differ in {}: give the reference a value of it", fmt::join(keys, " and "));
}

/// Says why there is no reference for `row`: none at all, or with other values than its own.
std::string why_no_reference(const Row& row, const TableFile& file) {
  const RowPattern& pattern = *file.settings.reference;
  std::vector<std::string> keys;
  bool any = false;
  for (const Row& other : file.rows) {
    if (!matches(pattern, other, file.points)) continue;
    any = true;
    for (std::size_t k = 0; k < file.sweep.grid.size(); ++k) {
      const Field& field = *file.sweep.grid[k].field;
      const bool differ = row.values[k] && other.values[k] && row.values[k] != other.values[k] && !pattern.names(field);
      if (differ && std::ranges::find(keys, field.name()) == keys.end()) keys.push_back(field.name());
    }
  }
  if (!any) return why_no_row(pattern, file.rows, file.points);
  return fmt::format("its rows have other values of {}: give the reference one", fmt::join(keys, " and "));
}

}  // namespace

TableSettings read_table_settings(const TableFile& file, const Origins& origins) {
  const toml::table none;
  const toml::node* node = file.document->get("table");
  if (node && !node->is_table())
    throw InputError("{}: table: expected a section [table], got {}", place_of(origins, node->source()),
                     describe(*node));
  const TomlKeys keys(node ? *node->as_table() : none, origins, "table",
                      {"columns", "across", "reference", "reach", "reach_of", "full_steps", "spread", "labels"});
  TableSettings settings{.columns = read_columns(keys, file.points), .columns_where = keys.place("columns")};
  settings.reading.reach = keys.number("reach");
  if (settings.reading.reach) check_fraction(*settings.reading.reach, keys, "reach");
  settings.reading.reach_of =
      keys.word("reach_of", {"accuracy_mean", "accuracy_mean_model"}).value_or(settings.reading.reach_of);
  settings.reading.full_steps = keys.integer("full_steps", 1).value_or(0);
  const auto spread = keys.word("spread", {"sd", "ci95", "none"}).value_or("sd");
  settings.spread = spread == "sd" ? Spread::kSd : spread == "ci95" ? Spread::kInterval : Spread::kNone;
  settings.across = keys.text("across").value_or("");
  const auto may_stand_across = [&](const SweptKey& key) {
    return key.field->name() == settings.across && !is_repetition(*key.field);
  };
  if (!settings.across.empty() && std::ranges::none_of(file.sweep.grid, may_stand_across))
    keys.refuse("across", "a key of the grid, without run.seed and run.replicas");
  if (const toml::node* reference = keys.node("reference"))
    settings.reference = read_row_pattern(*reference, origins, keys.place("reference"), true);
  settings.labels = read_labels(keys, file, origins, settings.columns);
  for (const Column& column : settings.columns) check_column(column, settings, keys.place("columns"));
  return settings;
}

std::vector<Claim> read_claims(const TableFile& file, const Origins& origins) {
  std::vector<Claim> claims;
  const toml::node* node = file.document->get("claim");
  if (!node) return claims;
  const toml::array* list = node->as_array();
  const bool are_tables = list && std::ranges::all_of(*list, [](const toml::node& entry) { return entry.is_table(); });
  if (!are_tables)
    throw InputError("{}: claim: expected sections [[claim]], got {}", place_of(origins, node->source()),
                     describe(*node));
  for (const toml::node& entry : *list) claims.push_back(read_claim(*entry.as_table(), file, origins));
  return claims;
}

std::vector<int> find_reference_rows(const TableFile& file) {
  if (!file.settings.reference) return {};
  const RowPattern& pattern = *file.settings.reference;
  std::vector<int> found;
  for (const Row& row : file.rows) {
    std::vector<int> references;
    for (int r = 0; r < std::ssize(file.rows); ++r)
      if (matches(pattern, file.rows[r], file.points) && agree(row, file.rows[r], file.sweep.grid, pattern))
        references.push_back(r);
    if (references.size() != 1)
      throw InputError("{}: table.reference: {} matches {} for {}; {}", pattern.where, pattern.text,
                       references.empty() ? "no row" : fmt::format("{} rows", references.size()), in_quotes(row.name),
                       references.empty() ? why_no_reference(row, file) : what_chooses(references, file));
    const Row& reference = file.rows[references.front()];
    const auto there = seeds_of(reference, file.points);
    for (const std::uint64_t seed : seeds_of(row, file.points))
      if (!there.contains(seed))
        throw InputError("{}: table.reference: {} has no run of seed {}, to compare {} with", pattern.where,
                         in_quotes(reference.name), seed, in_quotes(row.name));
    found.push_back(references.front());
  }
  return found;
}

}  // namespace sparsepush
