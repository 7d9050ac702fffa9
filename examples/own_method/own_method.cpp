// A method and an objective of one's own: 16 nodes on a directed ring, each of which wants another point, agree on the
// mean of their points. The method is SGP, step by step.
#include <cstdio>
#include <memory>

#include "host/state/emulator.h"
#include "host/state/verbs.h"
#include "host/transports/run_shards.h"
#include "models/objective_task.h"

using namespace sparsepush;

int main() {
  Config config = parse_config("[run]\nnodes = 16\nsteps = 4000\n[optimizer]\nlr = 0.002\nweight_decay = 0.0\n", {});
  config.algorithm.name = "own";
  config.algorithm.averaging_rate = 1;
  const Method method{.name = "own",
                      .message = Message{{&state::x, &state::sent_u}},
                      .averaging_rate = 1.0,
                      .play = [](auto& n, const PlannedRound& round) {
                        keep_push_weights(n);
                        local_step(n);
                        send(n, round);
                        mix(n, round, state::x, state::x);
                        mix_push_weights(n, round);
                      }};
  auto task =
      std::make_unique<ObjectiveTask>("points", std::vector<Parameter>{{"place", {2}}}, std::vector<float>{0, 0},
                                      [](int node, std::int64_t, std::span<const float> z, std::span<float> gradient) {
                                        gradient[0] = z[0] - static_cast<float>(node);
                                        gradient[1] = z[1] + 1;
                                        return (gradient[0] * gradient[0] + gradient[1] * gradient[1]) / 2;
                                      });
  const Experiment experiment(config, {.method = method, .optimizer = optimizers().front(), .compressor = {}},
                              std::move(task));
  run_shards<Cpu>(1, 1, config.run.nodes, [&](Transport<Cpu>& transport) {
    const Cpu cpu;
    Emulator<Cpu> emulator(cpu, experiment, transport);
    while (emulator.step() < experiment.schedule().end())
      emulator.run_step([&] {
        emulator.take_gradients();
        emulator.run_method();
      });
    const MetricsRow row = emulator.measure(true).front();
    std::printf("step %ld, consensus %.3f, loss of the mean model %.6f\n", long{row.step}, *row.consensus,
                *row.loss_mean_model);
  });
}
