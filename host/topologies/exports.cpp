#include "host/topologies/exports.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kRedrawnRounds = 8;

std::int64_t rounds_exported(const Topology& topology) {
  return topology.period() > 0 ? topology.period() : kRedrawnRounds;
}

Json round_json(const TopologyRound& round, std::int64_t t) {
  std::vector<int> out(round.self_weight.size(), 0), in(out);
  Json edges = Json::array();
  for (const Edge& edge : round.edges) {
    edges.push_back({{"source", edge.source}, {"target", edge.target}, {"weight", edge.weight}});
    ++out[edge.source];
    ++in[edge.target];
  }
  return {{"round", t},
          {"edges", std::move(edges)},
          {"self_weight", round.self_weight},
          {"out_degree", out},
          {"in_degree", in}};
}

void write_file(const std::string& option, const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.flush();
  if (!file) throw InputError("{}: cannot write {}: {}", option, path, std::strerror(errno));
}

}  // namespace

std::string topology_dot(const Topology& topology) {
  std::string text;
  for (std::int64_t t = 0; t < rounds_exported(topology); ++t) text += round_dot(topology.round(t), t);
  return text;
}

std::string topology_json(const Topology& topology) {
  const MixingSpeed speed = mixing_speed(topology);
  Json json = {{"name", topology.name()},
               {"nodes", topology.nodes()},
               {"redrawn", topology.period() == 0},
               {"period", topology.period() > 0 ? Json(topology.period()) : Json(nullptr)},
               {"seed", depends_on_seed(topology.config()) ? Json(topology.seed()) : Json(nullptr)},
               {"rho", speed.rho},
               {"rho_is_estimated", speed.estimated},
               {"spectral_gap", 1 - speed.rho},
               {"rounds_to_1_percent", rounds_to_contract(topology, 0.01)},
               {"push_sum_is_idle", push_sum_is_idle(topology)},
               {"rounds", Json::array()}};
  for (std::int64_t t = 0; t < rounds_exported(topology); ++t)
    json["rounds"].push_back(round_json(topology.round(t), t));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string export_topology(const Topology& topology, const TopologyFiles& files) {
  struct Form {
    std::string option, path;
    std::string (*text)(const Topology&);
  };
  const Form forms[] = {
      {"--dot", files.dot, topology_dot}, {"--svg", files.svg, topology_svg}, {"--json", files.json, topology_json}};
  const auto is_standard_output = [](const Form& form) { return form.path == "-"; };
  if (std::ranges::count_if(forms, is_standard_output) > 1)
    throw InputError("expected one of --dot, --svg and --json to write to standard output, -, got several");
  for (const Form& form : forms)
    if (!form.path.empty() && !is_standard_output(form)) write_file(form.option, form.path, form.text(topology));
  const auto* shown = std::ranges::find_if(forms, is_standard_output);
  return shown == std::end(forms) ? describe_topology(topology) : shown->text(topology);
}

}  // namespace sparsepush
