#include "host/descriptions/describe_methods.h"

#include <fmt/format.h>

#include <algorithm>

#include "data/files/input_error.h"
#include "host/config/config_fields.h"
#include "host/state/experiment.h"
#include "host/topologies/topologies.h"
#include "host/topologies/topology_needs.h"
#include "models/models.h"

namespace sparsepush {
namespace {

constexpr int kBlocks = 7;  // no divisor in common with the rounds of any topology of 8 nodes
constexpr int kNodes = 8;   // enough for topologies to differ, few enough for a full one

using Words = std::vector<std::string_view>;
/// Keys with values, as --set takes them.
using Settings = std::vector<std::string>;

std::string in_backticks(std::string_view word) { return fmt::format("`{}`", word); }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

/// Returns the program's own words where `start` is refused, else nothing.
template <class Start>
std::string refusal_of(const Start& start) {
  try {
    start();
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

/// Adds a row, or adds `with` to the row that says the same.
void note(TextTable& refusals, const std::string& what, const std::string& with, const std::string& why) {
  for (auto& row : refusals.rows)
    if (row[0] == what && row[2] == why) {
      row[1] += ", " + with;
      return;
    }
  refusals.rows.push_back({what, with, why});
}

std::string message_text(const Message& message) {
  Words parts;
  if (message.compressed) parts.push_back("Q");
  for (const StateArray* array : message.arrays) parts.push_back(array->name);
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string messages_text(const Method& method) {
  if (!method.message) return "-";
  const std::string final = method.final_message ? "; in final rounds " + message_text(*method.final_message) : "";
  const std::string monitor = method.monitor ? "; in every step " + message_text(*method.monitor) : "";
  return message_text(*method.message) + final + monitor;
}

Config config_of(const Method& method, const Settings& more = {}) {
  Settings settings = {"algorithm.name=" + method.name};
  if (method.block_weights)  // with as many steps as let every block be mixed often
    settings.insert(settings.end(), {fmt::format("algorithm.blocks={}", kBlocks), "run.steps=1000"});
  settings.insert(settings.end(), more.begin(), more.end());
  return parse_config("", settings);
}

bool has_averaging_rate(const Method& method) {
  return std::ranges::find(method.keys, "averaging_rate") != method.keys.end();
}

/// Chooses a compressor, and sets averaging_rate as well: some compressors have none unless it is set.
Settings with_compressor(const Method& method, std::string_view name) {
  Settings settings = {fmt::format("algorithm.compressor={}", name)};
  if (has_averaging_rate(method)) settings.push_back("algorithm.averaging_rate=0.01");
  return settings;
}

Words compressors_of(const Method& method) {
  Words names;
  for (const Compressor& compressor : compressors())
    if (refusal_of([&] { config_of(method, with_compressor(method, compressor.name)); }).empty())
      names.push_back(compressor.name);
  return names;
}

/// Returns the default as a number, or as `keep` if it follows that key.
std::string default_rate_text(Config config) {
  const auto rate_at = [&](double keep) -> std::optional<double> {
    config.algorithm.keep = keep;
    return default_averaging_rate(recipe_of(config), config.algorithm);
  };
  if (!rate_at(0.5)) return "to be set";
  return rate_at(0.25) == 0.25 && rate_at(0.5) == 0.5 ? "`keep`" : fmt::format("{}", *rate_at(AlgorithmConfig{}.keep));
}

std::string averaging_rate_text(const Method& method) {
  if (!has_averaging_rate(method)) return "-";
  if (!method.compresses()) return default_rate_text(config_of(method));
  std::vector<std::string> rates;
  for (const std::string_view name : compressors_of(method)) {
    const Config config = config_of(method, with_compressor(method, name));
    rates.push_back(fmt::format("{} with `{}`", default_rate_text(config), name));
  }
  return fmt::format("{}", fmt::join(rates, ", "));
}

/// Lists the topology's forms that methods may judge differently: by its weights, if it is undirected, and by its keys
/// `degree` and `redraw`, if it has them.
std::vector<Settings> forms_of(const TopologyKind& kind) {
  std::vector<Settings> forms = {{}};
  if (kind.is_undirected && !kind.has_own_weights) forms.push_back({"weights=metropolis"});
  if (kind.drawn_by_backends) forms = {{"degree=1"}, {"degree=2"}};
  if (!has_key(kind, "redraw")) return forms;
  for (std::size_t i = 0, plain = forms.size(); i < plain; ++i) {
    forms.push_back(forms[i]);
    forms.back().push_back("redraw=true");
  }
  return forms;
}

/// Lists the topologies that a method runs on, and notes the others.
std::string topologies_text(const Method& method, TextTable& refusals) {
  if (!method.needs.topology) return "-";
  const bool needs_nothing = needs_in_words(method).empty();
  std::vector<std::string> run;
  bool all = needs_nothing;
  for (const TopologyKind& kind : topologies()) {
    if (kind.is_given) {
      run.push_back(in_backticks(kind.name) + (needs_nothing ? "" : " with what is needed"));
      continue;
    }
    for (const Settings& form : forms_of(kind)) {
      const std::string keys = form.empty() ? "" : fmt::format(" ({})", fmt::join(form, ", "));
      Settings settings = {fmt::format("run.nodes={}", kind.only_nodes > 0 ? kind.only_nodes : kNodes),
                           "topology.name=" + kind.name};
      for (const std::string& setting : form) settings.push_back("topology." + setting);
      const std::string why = refusal_of([&] { Experiment(config_of(method, settings)); });
      if (why.empty())
        run.push_back(in_backticks(kind.name) + keys);
      else
        note(refusals, in_backticks(method.name), in_backticks(kind.name) + keys, why);
      all = all && why.empty();
    }
  }
  return all ? "all" : fmt::format("{}", fmt::join(run, ", "));
}

/// Notes which optimizers a method does not run with.
void note_optimizers(const Method& method, TextTable& refusals) {
  for (const Optimizer& optimizer : optimizers()) {
    const Settings settings = {"optimizer.kind=" + optimizer.name};
    const std::string why = refusal_of([&] { check_optimizer(recipe_of(config_of(method, settings))); });
    if (!why.empty()) note(refusals, in_backticks(method.name), in_backticks(optimizer.name), why);
  }
}

Words backends_of(const Method& method) {
  Words backends;
  if (method.play.cpu) backends.push_back("cpu");
  if (method.play.cuda) backends.push_back("cuda");
  return backends;
}

TextTable methods_table(TextTable& refusals) {
  TextTable table{
      .header = {"method", "messages", "compressors", "default `averaging_rate`", "needs", "topologies", "backends"},
      .rows = {}};
  for (const Method& method : methods()) {
    table.rows.push_back({in_backticks(method.name), messages_text(method), or_dash(listed(compressors_of(method))),
                          averaging_rate_text(method),
                          or_dash(fmt::format("{}", fmt::join(needs_in_words(method), ", "))),
                          topologies_text(method, refusals), listed(backends_of(method))});
    note_optimizers(method, refusals);
  }
  return table;
}

TextTable models_table(TextTable& refusals) {
  Words backends = std::get<Choices>(find_field("run", "backend")->constraint);
  std::erase(backends, "auto");
  TextTable table{.header = {"model", "backends"}, .rows = {}};
  for (const Model& model : models()) {
    Words run;
    for (const std::string_view backend : backends) {
      const Settings settings = {fmt::format("model.name={}", model.name), fmt::format("run.backend={}", backend)};
      const std::string why = refusal_of([&] { parse_config("", settings); });
      if (why.empty())
        run.push_back(backend);
      else
        note(refusals, in_backticks(model.name), in_backticks(backend), why);
    }
    table.rows.push_back({in_backticks(model.name), listed(run)});
  }
  return table;
}

}  // namespace

std::string describe_methods(TextForm form) {
  TextTable refusals{.header = {"refused", "with", "what the program says"}, .rows = {}};
  const std::string methods = to_text(methods_table(refusals), form), models = to_text(models_table(refusals), form);
  const std::string conditions = fmt::format(
      "In messages: x parameters, u the push-sum weight, Q what the compressor keeps.\n"
      "Topologies are tried with {} nodes, {} blocks where models are cut, and other keys at their defaults.\n",
      kNodes, kBlocks);
  return methods + "\n" + models + "\n" + to_text(refusals, form) + "\n" + conditions;
}

}  // namespace sparsepush
