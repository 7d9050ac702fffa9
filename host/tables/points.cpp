#include "host/tables/points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>
#include <utility>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/config/config_document.h"
#include "host/tables/value_words.h"

namespace sparsepush {
namespace {

constexpr std::size_t kMostPoints = 10'000;
constexpr std::size_t kIdDigits = 8;         // digits of an id in a folder's name
constexpr std::size_t kLongestFolder = 200;  // bytes; file systems take 255

/// Lists the values of all keys of the grid at combination `index`, the last key's fastest.
std::vector<const toml::node*> combination(const std::vector<SweptKey>& grid, std::size_t index) {
  std::vector<const toml::node*> values(grid.size());
  for (std::size_t k = grid.size(); k-- > 0;) {
    values[k] = grid[k].values[index % grid[k].values.size()];
    index /= grid[k].values.size();
  }
  return values;
}

std::size_t combinations(const Sweep& sweep, const Origins& origins) {
  std::size_t all = 1;
  for (const SweptKey& key : sweep.grid) {
    all *= key.values.size();
    if (all * sweep.points.size() > kMostPoints)
      throw InputError("{}: {}: expected at most {} points in all", key.where, key.field->name(), kMostPoints);
  }
  if (sweep.points.size() > kMostPoints)
    throw InputError("{}: sweep.point: expected at most {} points in all", origins.path(), kMostPoints);
  return all;
}

/// Returns the document without what makes a table of it.
toml::table base_of(const toml::table& document) {
  toml::table base = document;
  for (const char* section : {"sweep", "table", "claim"}) base.erase(section);
  return base;
}

bool counts(const Field& field, const Config& config) { return why_unused(field, config) == nullptr; }

/// Returns whether a run would refuse another value than the default: in a grid, such a key is left out as any that
/// does not count.
bool cannot_be_honoured(const Field& field, const Config& config) {
  const OnlyFor* rule = why_unused(field, config);
  return rule && rule->must_be_default;
}

std::string name_of(const TablePoint& point, const std::vector<SweptKey>& grid) {
  std::vector<const SweptKey*> keys;
  for (const SweptKey& key : grid) keys.push_back(&key);
  // By name: a file that lists its keys in another order has the same points.
  std::ranges::sort(keys, {}, [](const SweptKey* key) { return key->field->name(); });
  std::string name = point.series.front();
  for (const SweptKey* key : keys) {
    if (!counts(*key->field, point.config)) continue;
    const bool is_said = key->field->name() == "algorithm.name" && point.series.front() == point.config.algorithm.name;
    if (!is_said)
      name += fmt::format(", {}={}", short_name(*key->field, grid),
                          key->is_exact ? exact_words_of_value(*key->field, point.as_written)
                                        : words_of_value(*key->field, point.as_written));
  }
  return name;
}

/// Makes points from one document, one after the other.
class PointMaker {
 public:
  PointMaker(const toml::table& document, const Sweep& sweep, const Origins& origins,
             const std::vector<std::string>& overrides)
      : sweep_(sweep), base_origins_(origins) {
    apply_document(base_of(document), base_, base_origins_);
    for (const std::string& assignment : overrides) apply_override(assignment, base_, base_origins_, false);
  }

  TablePoint make(const NamedPoint& named, std::vector<const toml::node*> grid_values) const {
    TablePoint point{.where = named.where, .config = base_, .origins = base_origins_};
    point.series = {named.name.empty() ? point.config.algorithm.name : named.name};
    point.name = point.series.front();
    try {
      set(point, named, grid_values);
      for (std::size_t k = 0; k < sweep_.grid.size(); ++k)
        if (cannot_be_honoured(*sweep_.grid[k].field, point.config)) grid_values[k] = nullptr;
      point.config = base_;
      point.origins = base_origins_;
      set(point, named, grid_values);
      if (named.name.empty()) point.series = {point.config.algorithm.name};
      if (!point.origins.is_set("run.threads")) point.config.run.threads = 1;  // points run side by side instead
      point.as_written = point.config;
      point.name = name_of(point, sweep_.grid);  // for errors; keys that do not count are not known yet
      point.config = resolve_config(point.config, point.origins);
    } catch (const InputError& error) {
      refuse_point(point, error.what());
    }
    point.config.warnings.clear();  // the same base is for all points
    point.name = name_of(point, sweep_.grid);
    for (const SweptKey& key : sweep_.grid)
      point.values.push_back(counts(*key.field, point.config)
                                 ? std::optional(exact_words_of_value(*key.field, point.as_written))
                                 : std::nullopt);
    point.id = results_hash(point.config);
    return point;
  }

 private:
  /// Sets what the grid says, but for values that are null, and then what the point says itself.
  void set(TablePoint& point, const NamedPoint& named, const std::vector<const toml::node*>& grid_values) const {
    for (std::size_t k = 0; k < sweep_.grid.size(); ++k)
      if (grid_values[k])
        apply_value(*sweep_.grid[k].field, *grid_values[k], sweep_.grid[k].where, point.config, point.origins);
    for (const KeyValue& setting : named.settings)
      apply_value(*setting.field, *setting.value, setting.where, point.config, point.origins);
  }

  const Sweep& sweep_;
  Config base_;
  Origins base_origins_;
};

/// Says why `field` counts for none of `points`: "data.partition is "iid"".
std::string why_nowhere(const Field& field, const std::vector<const TablePoint*>& points) {
  std::vector<std::string> reasons;
  for (const TablePoint* point : points) {
    const OnlyFor* rule = why_unused(field, point->config);
    const std::string reason = fmt::format("{} is {}", rule->decider, in_quotes(decider_value(*rule, point->config)));
    if (std::ranges::find(reasons, reason) == reasons.end()) reasons.push_back(reason);
  }
  return fmt::format("{}", fmt::join(reasons, ", "));
}

/// Checks that each swept key, each setting of a named point and each override counts for some point. Throws
/// InputError.
void check_settings(const Sweep& sweep, const std::vector<std::vector<TablePoint>>& of_named,
                    const std::vector<std::string>& overrides) {
  std::vector<const TablePoint*> all;
  for (const auto& points : of_named)
    for (const TablePoint& point : points) all.push_back(&point);
  const auto counts_for = [](const Field& field) {
    return [&field](const TablePoint* point) { return counts(field, point->config); };
  };
  for (const SweptKey& key : sweep.grid)
    if (std::ranges::none_of(all, counts_for(*key.field)))
      throw InputError("{}: {}: counts for no point of the table ({})", key.where, key.field->name(),
                       why_nowhere(*key.field, all));
  for (const SweptKey& key : sweep.grid) {
    bool is_taken = false;
    for (std::size_t i = 0; i < sweep.points.size(); ++i) {
      const auto& own = sweep.points[i].settings;
      const bool is_own = std::ranges::find(own, key.field, &KeyValue::field) != own.end();
      const auto takes = [&](const TablePoint& point) { return counts(*key.field, point.config); };
      is_taken = is_taken || (!is_own && std::ranges::any_of(of_named[i], takes));
    }
    if (!is_taken) throw InputError("{}: {}: each point of the table sets it itself", key.where, key.field->name());
  }
  for (std::size_t i = 0; i < sweep.points.size(); ++i)
    for (const KeyValue& setting : sweep.points[i].settings)
      if (std::ranges::none_of(of_named[i],
                               [&](const TablePoint& point) { return counts(*setting.field, point.config); }))
        throw InputError("{}: {}: does not count for the point {}", setting.where, setting.field->name(),
                         in_quotes(of_named[i].front().series.front()));
  for (const std::string& assignment : overrides) {
    const std::string key = assignment.substr(0, assignment.find('='));
    const auto takes = [&](const TablePoint* point) { return point->origins.of(key).starts_with("--set "); };
    if (std::ranges::none_of(all, takes))
      throw InputError("--set {}: {}: counts for no point of the table, or each sets it itself", assignment, key);
  }
}

void check_values_differ(const SweptKey& key) {
  std::set<std::string> seen;
  for (const toml::node* value : key.values) {
    Config config;
    Origins origins("");
    apply_value(*key.field, *value, key.where, config, origins);
    const std::string words = exact_words_of_value(*key.field, config);
    if (!seen.insert(words).second)
      throw InputError("{}: {}: the value {} stands there twice", key.where, key.field->name(), words);
  }
}

void refuse_swept(const Sweep& sweep, const std::vector<std::string>& overrides) {
  for (const std::string& assignment : overrides)
    for (const SweptKey& key : sweep.grid)
      if (assignment.starts_with(key.field->name() + "="))
        throw InputError("--set {}: {}: is swept by the table ({})", assignment, key.field->name(), key.where);
}

/// Hashes what all points of a row have in common.
std::string row_id(Config config) {
  config.run.seed = 0;
  config.run.replicas = 1;
  return results_hash(config);
}

void check_seeds(const Row& row, const std::vector<TablePoint>& points) {
  std::set<std::uint64_t> seeds;
  for (const int index : row.points) {
    const RunConfig& run = points[index].config.run;
    for (int r = 0; r < run.replicas; ++r)
      if (!seeds.insert(run.seed + r).second)
        throw InputError("{}: {}: seed {} occurs twice in this row", points[index].where, in_quotes(row.name),
                         run.seed + r);
  }
}

}  // namespace

bool is_repetition(const Field& field) { return field.name() == "run.seed" || field.name() == "run.replicas"; }

std::string short_name(const Field& field, const std::vector<SweptKey>& grid) {
  const auto word = [](const Field& of) { return of.key == "name" ? of.section : of.key; };
  const auto same =
      std::ranges::count_if(grid, [&](const SweptKey& other) { return word(*other.field) == word(field); });
  return same > 1 ? field.name() : std::string(word(field));
}

std::vector<TablePoint> make_points(const toml::table& document, const Sweep& sweep, const Origins& origins,
                                    const std::vector<std::string>& overrides) {
  refuse_swept(sweep, overrides);
  const PointMaker maker(document, sweep, origins, overrides);
  const std::size_t each = combinations(sweep, origins);
  std::vector<std::vector<TablePoint>> of_named;
  for (const NamedPoint& named : sweep.points) {
    of_named.emplace_back();
    for (std::size_t i = 0; i < each; ++i) of_named.back().push_back(maker.make(named, combination(sweep.grid, i)));
  }
  for (const SweptKey& key : sweep.grid) check_values_differ(key);
  check_settings(sweep, of_named, overrides);
  std::vector<TablePoint> points;
  std::map<std::string, std::size_t> of_id;
  for (auto& some : of_named) {
    for (TablePoint& point : some) {
      const auto [known, is_new] = of_id.try_emplace(point.id, points.size());
      if (is_new) {
        points.push_back(std::move(point));
        continue;
      }
      auto& series = points[known->second].series;
      if (std::ranges::find(series, point.series.front()) == series.end()) series.push_back(point.series.front());
    }
  }
  return points;
}

std::vector<Row> make_rows(const std::vector<TablePoint>& points, const Sweep& sweep) {
  std::vector<SweptKey> grid;  // without repetitions
  for (const SweptKey& key : sweep.grid)
    if (!is_repetition(*key.field)) grid.push_back(key);
  std::vector<Row> rows;
  std::map<std::string, std::size_t> of_name;
  for (int p = 0; p < std::ssize(points); ++p) {
    const TablePoint& point = points[p];
    Row row{.name = name_of(point, grid), .series = point.series, .values = point.values, .points = {p}};
    for (std::size_t k = 0; k < sweep.grid.size(); ++k)
      if (is_repetition(*sweep.grid[k].field)) row.values[k].reset();
    const auto [known, is_new] = of_name.try_emplace(row.name, rows.size());
    if (is_new) {
      rows.push_back(std::move(row));
      continue;
    }
    Row& same = rows[known->second];
    if (row_id(points[same.points.front()].config) != row_id(point.config))
      throw InputError("{}: two points of other settings are called {}: give each a name of its own", point.where,
                       in_quotes(row.name));
    same.points.push_back(p);
  }
  for (const Row& row : rows) check_seeds(row, points);
  return rows;
}

std::string unused_base_keys(const toml::table& document, const std::vector<TablePoint>& points,
                             const Origins& origins) {
  std::vector<std::string> unused;
  for (const KeyValue& setting : key_values(base_of(document), origins)) {
    const auto counts_for = [&](const TablePoint& point) { return counts(*setting.field, point.config); };
    if (std::ranges::none_of(points, counts_for)) unused.push_back(setting.field->name());
  }
  if (unused.empty()) return "";
  return fmt::format("{}: keys that count for no point: {}", origins.path(), fmt::join(unused, ", "));
}

std::string rows_of_several_names(const std::vector<Row>& rows) {
  std::vector<std::string> parts;
  for (const Row& row : rows)
    if (row.series.size() > 1)
      parts.push_back(fmt::format("{} is {} as well", in_quotes(row.name),
                                  fmt::join(row.series.begin() + 1, row.series.end(), ", ")));
  return parts.empty() ? "" : fmt::format("the same settings under several names: {}", fmt::join(parts, "; "));
}

std::string short_id(const TablePoint& point) { return point.id.substr(0, kIdDigits); }

std::string folder_name(const TablePoint& point) {
  std::string name;
  for (const unsigned char c : point.name) {
    const bool stays = std::isalnum(c) || c == '.' || c == '=' || c == '-' || c == '_';
    if (stays)
      name += static_cast<char>(c);
    else if (!name.ends_with('_'))
      name += '_';
  }
  return name.substr(0, kLongestFolder) + "-" + short_id(point);
}

std::string id_of_folder(const std::string& name) {
  if (name.size() <= kIdDigits || name[name.size() - kIdDigits - 1] != '-') return "";
  const std::string id = name.substr(name.size() - kIdDigits);
  return id.find_first_not_of("0123456789abcdef") == std::string::npos ? id : "";
}

void refuse_point(const TablePoint& point, const std::string& message) {
  const std::string& path = point.origins.path();
  std::string where = point.where, what = message;
  if (what.starts_with(path + ":")) {  // it says file and line
    const std::size_t end = what.find(": ");
    where = what.substr(0, end);
    what = what.substr(end + 2);
  } else if (const std::string key = what.substr(0, what.find(": ")); point.origins.is_set(key)) {
    where = point.origins.of(key);
  }
  throw InputError("{}: point {}: {}", where, in_quotes(point.name), what);
}

}  // namespace sparsepush
