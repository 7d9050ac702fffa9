// A gossip round of nodes that several processes share, or one alone: the same work, beside what processes add. It is
// run by bench/halo_bench.py, which takes both in turn. See bench/README.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/ceilings.h"
#include "bench/host/state/gossip.h"
#include "host/ranks/rank_transport.h"
#include "host/transports/local_transport.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

struct Options {
  GossipCase gossip = {
      .layout = "resnet20", .nodes = 64, .keep = 0.01, .topology = "random_out", .degree = 2, .gradients = 2};
  int threads = 1, warm_up = 40, samples = 21;
};

/// Seconds of rounds that all shards begin together, as shard 0 sees them: each ends when all have.
std::vector<double> round_seconds(const Options& options, const Cpu& cpu, Transport<Cpu>& transport) {
  Gossip<Cpu> gossip(cpu, transport, options.gossip);
  for (int i = 0; i < options.warm_up; ++i) gossip.round();
  std::vector<double> all;
  for (int i = 0; i < options.samples; ++i) {
    transport.barrier();
    all.push_back(seconds(cpu, [&] {
      gossip.round();
      transport.barrier();
    }));
  }
  return all;
}

void print(const Options& options, const Cpu& cpu, int processes, const std::vector<double>& seconds) {
  const nlohmann::json result = {{"processes", processes},
                                 {"threads", options.threads},
                                 {"vectors", std::string(name_of(cpu.vector_level()))},
                                 {"round_ms", 1e3 * median(seconds)}};
  fmt::print("{}\n", result.dump());
}

void run(const Options& options) {
  const Cpu cpu(options.threads, tested_cpu(1).vector_level());
  if (Ranks::launched() > 1) {
    Ranks ranks;
    RankTransport<Cpu> transport(ranks, 1, options.gossip.nodes);
    const std::vector<double> seconds = round_seconds(options, cpu, transport);
    if (ranks.rank() == 0) print(options, cpu, ranks.count(), seconds);
  } else {
    LocalMeeting meeting(1);
    LocalTransport<Cpu> transport(meeting, {.all_nodes = options.gossip.nodes});
    print(options, cpu, 1, round_seconds(options, cpu, transport));
  }
}

}  // namespace
}  // namespace sparsepush

int main(int argc, char** argv) {
  sparsepush::Options options;
  sparsepush::GossipCase& gossip = options.gossip;
  CLI::App app("Time of one gossip round of nodes that processes share.");
  app.add_option("--threads", options.threads, "of each process");
  app.add_option("--layout", gossip.layout, "resnet20, vgg11, mlp, segment:SIZE");
  app.add_option("--nodes", gossip.nodes);
  app.add_option("--keep", gossip.keep, "fraction that is sent; 0: whole rows");
  app.add_option("--topology", gossip.topology, "random_out or directed_ring");
  app.add_option("--degree", gossip.degree, "in-edges a node, on average");
  app.add_option("--warm-up", options.warm_up, "rounds before the first that counts");
  app.add_option("--samples", options.samples, "of which the median is taken")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  sparsepush::run(options);
  return 0;
}
