// [run], [optimizer] and [evaluate]: how long, how fast and on what a run goes.
#include <limits>

#include "host/config/section_fields.h"
#include "host/optimizers/optimizers.h"
#include "models/models.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMostEpochs = 1'000'000'000;  // of at most as many steps: the product stays below 2^63

}  // namespace

std::vector<Field> run_fields() {
  using C = RunConfig;
  constexpr auto run = &Config::run;
  return {
      {.key = "seed",
       .meaning = "all random numbers follow from it",
       .member = at<run, &C::seed>,
       .constraint = IntegerRange{0, kLargest}},
      {.key = "nodes",
       .meaning = "emulated devices",
       .member = at<run, &C::nodes>,
       .constraint = IntegerRange{1, kMany},
       .also_called = "clients devices workers agents n world_size"},
      {.key = "replicas",
       .meaning = "repetitions with seeds seed, seed + 1, ... in the same arrays",
       .member = at<run, &C::replicas>,
       .constraint = IntegerRange{1, 10'000},
       .also_called = "trials repetitions repeats"},
      {.key = "steps",
       .meaning = "SGD steps of every node; wins over epochs if > 0",
       .member = at<run, &C::steps>,
       .constraint = IntegerRange{0, kForever},
       .also_called = "iterations rounds",
       .changes_bits = false},
      {.key = "epochs",
       .meaning = "an epoch has as many steps as all nodes together need for the training set",
       .member = at<run, &C::epochs>,
       .constraint = IntegerRange{1, kMostEpochs},
       .changes_bits = false},
      {.key = "backend",
       .meaning = "auto: a GPU if one works, else the CPU",
       .member = at<run, &C::backend>,
       .constraint = Choices{"auto", "cpu", "cuda"},
       .also_called = "device platform",
       .changes_bits = false},
      {.key = "precision",
       .meaning = "of 3 x 3 convolutions: fp32, or tf32 on a GPU's tensor cores; auto: fp32 on the CPU, tf32 on a GPU",
       .member = at<run, &C::precision>,
       .constraint = Choices{"auto", "fp32", "tf32"},
       .only_for = {when("model.name", names_with_key(models(), "run.precision"))},
       .also_called = "dtype amp matmul_precision",
       .came_later = true},
      {.key = "threads",
       .meaning = "of the CPU; 0: one per processor that the process may use",
       .member = at<run, &C::threads>,
       .constraint = IntegerRange{0, 4096},
       .changes_bits = false},
      {.key = "shards",
       .meaning = "groups of nodes, each with arrays and threads of its own",
       .member = at<run, &C::shards>,
       .constraint = IntegerRange{1, kMany},
       .changes_bits = false},
      {.key = "checkpoint_steps",
       .meaning = "steps from one checkpoint to the next; 0: at evaluations",
       .member = at<run, &C::checkpoint_steps>,
       .constraint = IntegerRange{0, kForever},
       .changes_bits = false},
      {.key = "start",
       .meaning = "checkpoint of a run with as many nodes and the same model: nodes start at its parameters x / u",
       .member = at<run, &C::start>,
       .also_called = "checkpoint init pretrained warm_start",
       .came_later = true,
       .is_file = true},
      {.key = "tensorboard",
       .meaning = "write metrics.csv for TensorBoard as well, in tensorboard/ of the run's folder",
       .member = at<run, &C::tensorboard>,
       .also_called = "tensorboard_dir summary_writer events",
       .changes_bits = false},
      {.key = "verify",
       .meaning = "do every selection of messages again in a second way, and compare",
       .member = at<run, &C::verify>,
       .changes_bits = false},
  };
}

std::vector<Field> optimizer_fields() {
  using O = OptimizerConfig;
  constexpr auto optimizer = &Config::optimizer;
  return {
      {.key = "lr",
       .meaning = "learning rate",
       .member = at<optimizer, &O::lr>,
       .constraint = NumberRange{0, kHuge},
       .also_called = "learning_rate rate step_size"},
      {.key = "schedule",
       .meaning = "lr falls at milestones, or from warm-up to the last step to lr_end",
       .member = at<optimizer, &O::schedule>,
       .constraint = Choices{"steps", "cosine", "linear"},
       .also_called = "lr_schedule scheduler annealing",
       .came_later = true},
      {.key = "lr_end",
       .meaning = "lr after the last step",
       .member = at<optimizer, &O::lr_end>,
       .constraint = NumberRange{0, kHuge},
       .only_for = {when("optimizer.schedule", {"cosine", "linear"})},
       .also_called = "lr_min eta_min"},
      {.key = "momentum",
       .meaning = "share of itself that momentum keeps in a step",
       .member = at<optimizer, &O::momentum>,
       .constraint = NumberRange{0, 1, false, true},
       .also_called = "beta"},
      {.key = "kind",
       .meaning = "how a step follows from gradients: SGD with momentum in three forms, or adam",
       .member = at<optimizer, &O::kind>,
       .constraint = names_of(optimizers()),
       .also_called = "name nesterov"},
      {.key = "beta2",
       .meaning = "share of itself that the mean of squares keeps in a step",
       .member = at<optimizer, &O::beta2>,
       .constraint = NumberRange{0, 1, false, true},
       .only_for = {when("optimizer.kind", names_with_key(optimizers(), "beta2"))}},
      {.key = "epsilon",
       .meaning = "added to the root of the mean of squares, by which steps are divided",
       .member = at<optimizer, &O::epsilon>,
       .constraint = NumberRange{1e-30, 1},
       .only_for = {when("optimizer.kind", names_with_key(optimizers(), "epsilon"))},
       .also_called = "eps"},
      {.key = "weight_decay",
       .meaning = "times the parameters, is added to the gradient",
       .member = at<optimizer, &O::weight_decay>,
       .constraint = NumberRange{0, kHuge},
       .also_called = "wd l2"},
      {.key = "milestones",
       .meaning = "epochs from which on lr is multiplied by decay, once each",
       .member = at<optimizer, &O::milestones>,
       .constraint = IntegerRange{0, kForever},
       .only_for = {when("optimizer.schedule", {"steps"})}},
      {.key = "decay",
       .meaning = "factor of lr at each milestone",
       .member = at<optimizer, &O::decay>,
       .constraint = NumberRange{0, 1, true},
       .only_for = {when("optimizer.schedule", {"steps"})},
       .also_called = "lr_decay gamma"},
      {.key = "warmup_epochs",
       .meaning = "first epochs, in which lr is multiplied by a factor",
       .member = at<optimizer, &O::warmup_epochs>,
       .constraint = IntegerRange{0, kForever},
       .also_called = "warmup warm_up"},
      {.key = "warmup_factor",
       .meaning = "factor of lr in the first step",
       .member = at<optimizer, &O::warmup_factor>,
       .constraint = NumberRange{0, 1}},
      {.key = "warmup",
       .meaning = "the factor rises to 1 from step to step, or stays until the warm-up ends",
       .member = at<optimizer, &O::warmup>,
       .constraint = Choices{"ramp", "constant"},
       .counts_in = [](const Config& c) { return c.optimizer.warmup_epochs > 0 && c.optimizer.warmup != "constant"; }},
  };
}

std::vector<Field> evaluate_fields() {
  using E = EvaluateConfig;
  constexpr auto evaluate = &Config::evaluate;
  return {
      {.key = "every_steps",
       .meaning = "steps from one evaluation to the next; 0: an epoch",
       .member = at<evaluate, &E::every_steps>,
       .constraint = IntegerRange{0, kForever},
       .also_called = "steps every"},
      {.key = "nodes",
       .meaning = "how many are tested, spread over all of them; 0: all",
       .member = at<evaluate, &E::nodes>,
       .constraint = IntegerRange{0, kMany}},
      {.key = "samples",
       .meaning = "how many of the test set are used, spread over it; 0: all",
       .member = at<evaluate, &E::samples>,
       .constraint = IntegerRange{0, kMany},
       .only_for = {when("data.name", sets_with("evaluate.samples"))},
       .also_called = "test_samples max_samples limit",
       .came_later = true},
  };
}

}  // namespace sparsepush
