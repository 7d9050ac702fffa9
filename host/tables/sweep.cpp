#include "host/tables/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/config/config_document.h"

namespace sparsepush {
namespace {

constexpr const char* kPoints = "point";  // the key of [sweep] that lists them

/// A key of a document and where it stands.
struct Entry {
  std::string key;
  const toml::node* value;
  toml::source_region source;
};

bool stands_before(const Entry& a, const Entry& b) {
  return std::pair(a.source.begin.line, a.source.begin.column) < std::pair(b.source.begin.line, b.source.begin.column);
}

void collect(const toml::table& table, const std::string& prefix, std::vector<Entry>& entries) {
  for (const auto& [key, value] : table) {
    const std::string name = prefix + std::string(key.str());
    if (value.is_table())
      collect(*value.as_table(), name + ".", entries);
    else
      entries.push_back({name, &value, key.source()});
  }
}

/// Lists the entries in the order of the file: TOML's tables have none.
std::vector<Entry> entries_of(const toml::table& table) {
  std::vector<Entry> entries;
  collect(table, "", entries);
  std::ranges::sort(entries, stands_before);
  return entries;
}

/// Refuses keys that say how a run is done, not what it is.
void check_may_vary(const Field& field, const std::string& where) {
  for (const char* name : {"run.backend", "run.threads", "run.shards", "run.transport"})
    if (field.name() == name)
      throw InputError("{}: {}: changes no result, and so cannot be swept; set it for all points", where, name);
}

const Field& swept_field(const std::string& key, const std::string& where) {
  const Field& field = field_named(key, where);
  check_may_vary(field, where);
  constexpr std::string_view kLengths[] = {"run.steps", "run.epochs", "algorithm.final_rounds"};
  if (!field.changes_bits && std::ranges::find(kLengths, field.name()) == std::end(kLengths))
    throw InputError("{}: {}: its values are the same point, and so it cannot be swept", where, key);
  return field;
}

SweptKey swept_key(const Entry& entry, const Origins& origins) {
  SweptKey key{.where = place_of(origins, entry.source)};
  key.field = &swept_field(entry.key, key.where);
  const toml::array* list = entry.value->as_array();
  if (!list || list->empty())
    throw InputError("{}: {}: expected a list of the values that it takes, got {}", key.where, entry.key,
                     list ? "an empty one" : describe(*entry.value));
  std::set<std::string> shown;
  for (const toml::node& value : *list) {
    key.values.push_back(&value);
    if (const auto number = value.value<double>(); number && !shown.insert(fmt::format("{:g}", *number)).second)
      key.is_exact = true;
  }
  return key;
}

NamedPoint named_point(const toml::table& table, const Origins& origins) {
  NamedPoint point{.where = place_of(origins, table.source())};
  if (const toml::node* name = table.get("name")) {
    const auto* word = name->as_string();
    if (!word || word->get().empty())
      throw InputError("{}: name: expected the point's name, got {}", point.where, word ? "\"\"" : describe(*name));
    point.name = word->get();
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (std::ranges::any_of(point.name, is_control))
      throw InputError("{}: name: expected one line of text, got {}", point.where, in_quotes_short(point.name));
  }
  point.settings = key_values(table, origins);
  for (const KeyValue& setting : point.settings) check_may_vary(*setting.field, setting.where);
  return point;
}

std::vector<NamedPoint> named_points(const toml::node& node, const Origins& origins) {
  const auto refuse = [&](const toml::node& got) {
    throw InputError("{}: sweep.point: expected a list of {{ name = \"...\", \"section.key\" = value, ... }}, got {}",
                     place_of(origins, node.source()), describe(got));
  };
  const toml::array* list = node.as_array();
  if (!list || list->empty()) refuse(node);
  std::vector<NamedPoint> points;
  for (const toml::node& entry : *list) {
    if (!entry.is_table()) refuse(entry);
    points.push_back(named_point(*entry.as_table(), origins));
  }
  return points;
}

}  // namespace

std::vector<KeyValue> key_values(const toml::table& table, const Origins& origins) {
  std::vector<KeyValue> settings;
  for (const Entry& entry : entries_of(table)) {
    if (entry.key == "name") continue;
    const std::string where = place_of(origins, entry.source);
    settings.push_back({&field_named(entry.key, where), entry.value, where});
  }
  return settings;
}

Sweep read_sweep(const toml::table& document, const Origins& origins) {
  check_sections(document, origins);
  const toml::node* node = document.get("sweep");
  if (!node)
    throw InputError("{}: expected a section [sweep], with the keys that vary; one run is: sparsepush run {}",
                     origins.path(), origins.path());
  const std::string where = place_of(origins, node->source());
  if (!node->is_table()) throw InputError("{}: sweep: expected a section [sweep], got {}", where, describe(*node));
  if (const toml::node* points = node->as_table()->get(kPoints); points && points->is_table())
    throw InputError("{}: sweep.point: expected a section [[sweep.point]], got [sweep.point]",
                     place_of(origins, points->source()));
  Sweep sweep;
  for (const Entry& entry : entries_of(*node->as_table())) {
    if (entry.key == kPoints)
      sweep.points = named_points(*entry.value, origins);
    else
      sweep.grid.push_back(swept_key(entry, origins));
  }
  if (sweep.grid.empty() && sweep.points.empty())
    throw InputError("{}: sweep: expected keys with lists of values, or points", where);
  if (sweep.points.empty()) sweep.points.push_back({.where = where});
  return sweep;
}

}  // namespace sparsepush
