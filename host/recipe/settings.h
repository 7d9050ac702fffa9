// The settings of an experiment, each with its default: what a configuration file says, section by section.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/data_config.h"
#include "models/model_config.h"

namespace sparsepush {

struct RunConfig {
  std::uint64_t seed = 1;
  int nodes = 8;
  int replicas = 1;
  std::int64_t steps = 0;  ///< wins over epochs if > 0
  std::int64_t epochs = 1;
  std::string backend = "auto";
  std::string precision = "auto";   ///< precision of products of layers
  std::string convolution = "own";  ///< whose code computes them on a GPU
  int threads = 0;                  ///< 0: one per processor
  int shards = 1;
  std::string transport = "auto";     ///< between shards
  std::int64_t checkpoint_steps = 0;  ///< 0: at evaluations
  std::string start;                  ///< a checkpoint whose parameters nodes start with
  bool tensorboard = false;           ///< write metrics.csv for TensorBoard as well
  bool verify = false;                ///< do every selection of messages again in a second way, and compare
};

struct TopologyConfig {
  std::string name = "directed_ring";
  int degree = 2;
  double probability = 0.3;  ///< probability of an edge in `erdos_renyi`
  int rows = 0;              ///< for `torus`; 0: as square as it can be
  double radius = 0.0;       ///< for `geometric`; 0: what connects most draws
  bool redraw = false;
  bool undirected = false;  ///< edges lead both ways
  std::string weights = "uniform";
  std::string file;
};

struct AlgorithmConfig {
  std::string name = "sparse_push";
  std::string compressor = "top_k";
  std::string compress = "parameters";
  std::string scope = "layer";
  double keep = 0.01;
  int value_bits = 32;                  ///< bits of an entry that is kept; 16: bfloat16
  int levels = 127;                     ///< for `qsgd`
  int rank = 2;                         ///< for `low_rank`
  double averaging_rate = 0.01;         ///< eta; not set: what method or compressor say
  std::vector<double> averaging_decay;  ///< factors of eta, from each milestone of the optimizer on
  std::string monitor = "linear";       ///< the bound on variance by which `fda` decides
  std::optional<double> threshold;      ///< limit of that bound, above which nodes sync; nullopt: "auto"
  std::int64_t local_steps = 1;
  std::int64_t blocks = 0;                        ///< for `shared_block`
  std::optional<std::int64_t> final_rounds = 50;  ///< nullopt: "auto"
  std::string final = "gossip";
  std::string final_statistics = "average";  ///< running statistics of normalization after the last round
};

struct OptimizerConfig {
  double lr = 0.1;
  std::string schedule = "steps";
  double lr_end = 0;  ///< for `cosine` and `linear`
  double momentum = 0.9;
  std::string kind = "heavy_ball";
  double beta2 = 0.999;  ///< for `adam`, like `epsilon`
  double epsilon = 1e-8;
  double weight_decay = 1e-4;
  std::vector<std::int64_t> milestones;  ///< epochs
  double decay = 0.1;
  std::int64_t warmup_epochs = 0;
  std::string warmup = "ramp";
  double warmup_factor = 0.1;
};

struct EvaluateConfig {
  std::int64_t every_steps = 0;  ///< 0: each epoch
  int nodes = 0;                 ///< tested nodes, spread over all of them; 0: all
  int samples = 0;               ///< tested samples, spread over the test set; 0: all
};

/// Returns whether learning rates fall towards the end of the run: a longer run has others.
inline bool rates_depend_on_length(const OptimizerConfig& optimizer) { return optimizer.schedule != "steps"; }

/// Everything a run needs to know, checked and with all defaults filled in.
struct Config {
  RunConfig run;
  DataConfig data;
  ModelConfig model;
  TopologyConfig topology;
  AlgorithmConfig algorithm;
  OptimizerConfig optimizer;
  EvaluateConfig evaluate;

  std::vector<std::string> warnings;  ///< for the user: keys of the file that do not count
};

/// Counts the SGD steps of a run: run.steps, or if that is 0 epochs times steps_per_epoch.
constexpr std::int64_t sgd_steps(const RunConfig& run, std::int64_t steps_per_epoch) {
  return run.steps > 0 ? run.steps : run.epochs * steps_per_epoch;
}

}  // namespace sparsepush
