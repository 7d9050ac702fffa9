// One round of all nodes on either backend, beside the bandwidth of the best copy (and, on the Cpu, beside a plain pass
// over the same arrays in turn) measured in the same run. See bench/README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "bench/ceilings.h"
#include "bench/host/state/gossip.h"
#include "host/transports/local_transport.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

using nlohmann::json;

struct Options {
  std::string backend = "cpu";
  int threads = 2;
  std::vector<std::string> layouts = {"resnet20"}, keeps = {"0.01", "0.001", "dense"};
  std::vector<int> nodes = {64}, degrees = {1};
  std::string topology = "random_out";
  int gradients = 4, warm_up = 120, samples = 41;
  bool count_only = false;
  std::string json_file;
};

std::vector<GossipCase> cases_of(const Options& options) {
  std::vector<GossipCase> cases;
  for (const std::string& layout : options.layouts)
    for (const int nodes : options.nodes)
      for (const std::string& keep : options.keeps)
        for (const int degree : options.degrees)
          cases.push_back({.layout = layout,
                           .nodes = nodes,
                           .keep = keep == "dense" ? 0 : std::stod(keep),
                           .topology = options.topology,
                           .degree = degree,
                           .gradients = options.gradients});
  return cases;
}

std::int64_t free_bytes(const Cpu&) { return available_memory(); }
std::int64_t free_bytes(const Cuda& gpu) { return gpu.free_bytes(); }

json describe(const GossipCase& c) {
  const RowLayout layout = c.row_layout();
  json result = {
      {"layout", c.layout},     {"nodes", c.nodes},   {"d", layout.params},      {"segments", layout.segments.size()},
      {"topology", c.topology}, {"degree", c.degree}, {"gradients", c.gradients}};
  result["keep"] = c.dense() ? json("dense") : json(c.keep);
  if (!c.dense()) result["entries"] = c.plan().entries;
  return result;
}

/// Milliseconds of a round's stages, each called again and again on its own.
template <class Backend>
json stages_ms(const Backend& backend, Gossip<Backend>& gossip, bool dense, int samples) {
  const auto ms = [&](const auto& stage) { return 1e3 * median(sample_seconds(backend, samples, stage)); };
  json stages = {{"update", ms([&] { gossip.update(); })},
                 {"send", ms([&] { gossip.send(); })},
                 {"mix", ms([&] { gossip.mix(); })}};
  if (dense) stages["update_mix"] = ms([&] { gossip.update_and_mix(); });
  return stages;
}

/// topk_select without the rest of a round, against the time in which the best copy reads as much as v.
template <class Backend>
json selection_alone(const Backend& backend, Gossip<Backend>& gossip, const GossipCase& c, int samples,
                     double best_copy) {
  constexpr int kWarmUp = 8;
  std::vector<double> select_s;
  for (int i = 0; i < samples + kWarmUp; ++i) {
    gossip.refill_error();
    select_s.push_back(seconds(backend, [&] { gossip.select(); }));
  }
  const double select = median({select_s.begin() + kWarmUp, select_s.end()});
  return {{"ms", 1e3 * select},
          {"ns_per_element", 1e9 * select / c.params()},
          {"reads_of_v", select * best_copy / static_cast<double>(c.array_bytes())}};
}

/// Each round with, outside of its time, a plain pass after it.
template <class Backend>
std::vector<double> time_rounds(const Backend& backend, Gossip<Backend>& gossip, const GossipCase& c, int samples,
                                json& result) {
  if constexpr (std::is_same_v<Backend, Cpu>) {
    // Dense rounds have no error array: the pass updates one of its own.
    std::optional<Buffer<Cpu, float>> spare;
    const Nodes<Cpu>& n = gossip.nodes();
    const MatrixView<float> x = n[state::x];
    const bool has_error = n.state.has(state::error);
    if (!has_error) spare.emplace(backend, x.rows, x.cols);
    const auto pass = [&] {
      plain_pass(backend, {.x = x,
                           .momentum = n[state::momentum],
                           .error = has_error ? n[state::error] : spare->view(),
                           .gradient = n[state::gradient]});
    };
    pass();
    std::vector<double> round_s, pass_s, ratio;
    for (int i = 0; i < samples; ++i) {
      round_s.push_back(seconds(backend, [&] { gossip.round(); }));
      pass_s.push_back(seconds(backend, pass));
      ratio.push_back(pass_s.back() / round_s.back());
    }
    result["pass_ns_per_param"] = 1e9 * median(pass_s) / c.params();
    result["pass_GB_per_s"] = 28e-9 * c.params() / median(pass_s);
    result["fraction_of_pass"] = median(ratio);
    result["fraction_of_best_pass"] = std::ranges::min(pass_s) / std::ranges::min(round_s);
    return round_s;
  } else {
    return sample_seconds(backend, samples, [&] { gossip.round(); });
  }
}

/// Adds to `result` what a round takes; `best_copy` in bytes a second.
template <class Backend>
void measure(const Backend& backend, const GossipCase& c, const Options& options, double best_copy, json& result) {
  const std::int64_t free_before = free_bytes(backend);
  LocalMeeting meeting(1);
  LocalTransport<Backend> transport(meeting, {.all_nodes = c.nodes});
  Gossip<Backend> gossip(backend, transport, c);
  result["allocated_bytes"] = free_before - free_bytes(backend);
  for (int i = 0; i < options.warm_up; ++i) gossip.round();
  const std::vector<double> round_s = time_rounds(backend, gossip, c, options.samples, result);
  const double round = median(round_s), floor = floor_bytes(c, gossip.edges());
  result["round_ms"] = 1e3 * round;
  result["best_round_ms"] = 1e3 * std::ranges::min(round_s);
  result["ns_per_param"] = 1e9 * round / c.params();
  result["floor_bytes"] = floor;
  result["floor_GB_per_s"] = 1e-9 * floor / round;
  result["fraction_of_copy"] = floor / round / best_copy;
  result["stages_ms"] = stages_ms(backend, gossip, c.dense(), options.samples);
  if (!c.dense()) result["selection"] = selection_alone(backend, gossip, c, options.samples, best_copy);
}

std::string cell(const json& result, const json::json_pointer& key, const char* format, double factor = 1) {
  return result.contains(key) ? fmt::format(fmt::runtime(format), factor * result[key].get<double>()) : "-";
}

void print_header() {
  fmt::print(
      "| layout | nodes | keep | degree | state, GB | copy, GB/s | round, ms | ns/param | floor, B/param | "
      "of best copy | of pass | update + send + mix, ms | select alone, reads of v |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
}

void print_line(const GossipCase& c, const json& r) {
  using namespace nlohmann::literals;
  fmt::print("| {} | {} | {} | {} | {} ", c.layout, c.nodes, c.dense() ? "dense" : fmt::format("{:g}", c.keep),
             c.degree, cell(r, "/state_bytes"_json_pointer, "{:.3f}", 1e-9));
  if (r.contains("skipped")) {
    fmt::print("| {} |\n", r["skipped"].get<std::string>());
  } else {
    fmt::print(
        "| {} | {} | {} | {} | {} | {} | {} + {} + {} | {} |\n", cell(r, "/copy_GB_per_s"_json_pointer, "{:.1f}"),
        cell(r, "/round_ms"_json_pointer, "{:.3f}"), cell(r, "/ns_per_param"_json_pointer, "{:.4f}"),
        cell(r, "/floor_bytes"_json_pointer, "{:.2f}", 1 / c.params()),
        cell(r, "/fraction_of_copy"_json_pointer, "{:.2f}"), cell(r, "/fraction_of_pass"_json_pointer, "{:.2f}"),
        cell(r, "/stages_ms/update"_json_pointer, "{:.3f}"), cell(r, "/stages_ms/send"_json_pointer, "{:.3f}"),
        cell(r, "/stages_ms/mix"_json_pointer, "{:.3f}"), cell(r, "/selection/reads_of_v"_json_pointer, "{:.2f}"));
  }
  std::fflush(stdout);
}

std::string name_of(const Cpu& cpu) {
  return fmt::format("Cpu, {} threads, vectors: {}", cpu.threads(), name_of(cpu.vector_level()));
}
std::string name_of(const Cuda& gpu) { return gpu.name(); }

/// The case with the bandwidth of copies of its own arrays, or with the reason why it is skipped.
template <class Backend>
json prepare(const Backend& backend, const GossipCase& c, const Options& options) {
  json result = describe(c);
  const std::int64_t state = memory_of<Backend>(c, options.threads).total();
  const std::int64_t needed = std::max(state, 2 * c.array_bytes()), left = free_bytes(backend);
  result["state_bytes"] = state;
  if (needed > left) {
    result["skipped"] = fmt::format("needs {}, {} are free", format_bytes(static_cast<double>(needed)),
                                    format_bytes(static_cast<double>(left)));
  } else {
    const int row = static_cast<int>(c.row_layout().row);
    result["copy_GB_per_s"] = 1e-9 * copy_bandwidth(backend, c.nodes, row, options.samples);
  }
  return result;
}

/// All copies come first, so that every line is compared with the best of the run. Copies of small arrays do not count
/// for it: those in a cache may be faster than memory.
template <class Backend>
void sweep(const Backend& backend, const Options& options) {
  const std::vector<GossipCase> cases = cases_of(options);
  std::vector<json> results;
  double best_copy = large_copy_bandwidth(backend, free_bytes(backend), options.samples);
  for (const GossipCase& c : cases) {
    results.push_back(prepare(backend, c, options));
    if (c.array_bytes() >= kLargeBytes)
      best_copy = std::max(best_copy, 1e9 * results.back().value("copy_GB_per_s", 0.0));
  }
  json report = {{"benchmark", "gossip"},
                 {"backend", options.backend},
                 {"device", name_of(backend)},
                 {"samples", options.samples},
                 {"warm_up", options.warm_up},
                 {"threads", options.threads},
                 {"best_copy_GB_per_s", 1e-9 * best_copy},
                 {"cases", json::array()}};
  fmt::print("{}; best copy {:.1f} GB/s; medians of {} after {} rounds\n\n", name_of(backend), 1e-9 * best_copy,
             options.samples, options.warm_up);
  print_header();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (!results[i].contains("skipped")) measure(backend, cases[i], options, best_copy, results[i]);
    print_line(cases[i], results[i]);
    report["cases"].push_back(results[i]);
    // After every case, so that an interrupted sweep leaves what it has.
    if (!options.json_file.empty()) std::ofstream(options.json_file) << report.dump(1) << '\n';
  }
}

/// Prints what every case's state takes; allocates nothing.
template <class Backend>
void count(const Options& options) {
  json report = {{"benchmark", "gossip"}, {"backend", options.backend}, {"cases", json::array()}};
  for (const GossipCase& c : cases_of(options)) {
    const MemoryPlan plan = memory_of<Backend>(c, options.threads);
    fmt::print("{}, {} nodes, keep {}\n{}\n", c.layout, c.nodes, c.dense() ? "dense" : fmt::format("{:g}", c.keep),
               describe_memory(plan));
    json result = describe(c);
    for (const PlannedArray& array : plan.arrays) result["arrays"][array.name] = array.bytes;
    result["state_bytes"] = plan.total();
    report["cases"].push_back(result);
  }
  if (!options.json_file.empty()) std::ofstream(options.json_file) << report.dump(1) << '\n';
}

int run(const Options& options) {
  if (options.count_only) {
    options.backend == "cpu" ? count<Cpu>(options) : count<Cuda>(options);
  } else if (options.backend == "cpu") {
    sweep(tested_cpu(options.threads), options);
  } else if (!Cuda::is_available()) {
    fmt::print(stderr, "no CUDA GPU\n");
    return 77;  // what test drivers take for "skipped"
  } else {
    sweep(Cuda(), options);
  }
  return 0;
}

}  // namespace
}  // namespace sparsepush

int main(int argc, char** argv) {
  sparsepush::Options options;
  CLI::App app("Time of one gossip round of all nodes.");
  app.add_option("--backend", options.backend, "cpu or cuda")->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--threads", options.threads, "of the Cpu");
  app.add_option("--layout", options.layouts, "resnet20, vgg11, mlp, segment:SIZE");
  app.add_option("--nodes", options.nodes);
  app.add_option("--keep", options.keeps, "fractions, and dense");
  app.add_option("--degree", options.degrees, "in-edges a node, on average");
  app.add_option("--topology", options.topology, "random_out or exponential");
  app.add_option("--gradients", options.gradients, "gradient arrays taken in turn")->check(CLI::Range(1, 64));
  app.add_option("--warm-up", options.warm_up, "rounds before the first that counts");
  app.add_option("--samples", options.samples, "of which medians are taken")->check(CLI::PositiveNumber);
  app.add_option("--json", options.json_file, "file for the results");
  app.add_flag("--count-only", options.count_only, "print the bytes of every case's state; allocates nothing");
  CLI11_PARSE(app, argc, argv);
  try {
    return sparsepush::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "gossip_bench: {}\n", error.what());
    return 1;
  }
}
