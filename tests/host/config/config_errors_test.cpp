#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {

namespace fs = std::filesystem;

TEST_F(ConfigFile, UnknownKeysNameTheNearestKnownOne) {
  EXPECT_EQ(error("[run]\nseed = 1\n\n[algorithm]\n\n\ntopk = 0.1\n"),
            "a.toml:7: unknown key \"topk\"; did you mean \"keep\"?");
  EXPECT_EQ(error("[run]\nnode = 1\n"), "a.toml:2: unknown key \"node\"; did you mean \"nodes\"?");
  EXPECT_EQ(error("[run]\nkeep = 1\n"),
            "a.toml:2: unknown key \"keep\"; did you mean \"keep\" of section [algorithm]?");
  EXPECT_EQ(error("[optimizer]\nlearning_rate = 1\n"), "a.toml:2: unknown key \"learning_rate\"; did you mean \"lr\"?");
  EXPECT_EQ(error("[algorithm]\naveraging = 1\n"),
            "a.toml:2: unknown key \"averaging\"; did you mean \"averaging_rate\"?");
  EXPECT_EQ(error("nodes = 3\n"), "a.toml:1: unknown key \"nodes\"; did you mean \"nodes\" of section [run]?");
  EXPECT_EQ(set_error("algorithm.keeps=2"), "unknown key \"keeps\"; did you mean \"keep\"?");
}

TEST_F(ConfigFile, UnknownSectionsNameTheNearestKnownOne) {
  EXPECT_EQ(error("\n[algoritm]\nkeep = 1\n"), "a.toml:2: unknown section \"algoritm\"; did you mean \"algorithm\"?");
  EXPECT_EQ(set_error("eval.nodes=2"), "unknown section \"eval\"; did you mean \"evaluate\"?");
  EXPECT_EQ(error("[[rnu]]\nseed = 3\n"), "a.toml:1: unknown section \"rnu\"; did you mean \"run\"?");
  EXPECT_EQ(error("run = 3\n"), "a.toml:1: run: expected a section [run], got integer 3");
  EXPECT_EQ(error("[[run]]\nseed = 3\n"), "a.toml:1: run: expected a section [run], got a list");
}

TEST_F(ConfigFile, SectionsOfTablesAreKnownAndAreNotSetOnTheCommandLine) {
  EXPECT_EQ(error("[[claim]]\n[sweeps]\n"), "a.toml:2: unknown section \"sweeps\"; did you mean \"sweep\"?");
  EXPECT_TRUE(error("[[claim]]\n").starts_with("a.toml:1: [claim] makes a table of many runs of this file: "));
  EXPECT_EQ(set_error("table.spread=ci95"), "[table] is only set in the file");
  EXPECT_EQ(set_error("claim.at_most=1"), "[claim] is only set in the file");
}

TEST_F(ConfigFile, WrongTypesSayWhatCame) {
  EXPECT_EQ(error("[run]\n\nnodes = \"eight\"\n"), "a.toml:3: run.nodes: expected an integer, got string \"eight\"");
  EXPECT_EQ(set_error("run.nodes=2.0"), "run.nodes: expected an integer, got number 2.0");
  EXPECT_EQ(set_error("run.nodes=true"), "run.nodes: expected an integer, got boolean true");
  EXPECT_EQ(set_error("run.nodes=[1]"), "run.nodes: expected an integer, got a list");
  EXPECT_EQ(set_error("run.nodes={a=1}"), "run.nodes: expected an integer, got a section");
  EXPECT_EQ(set_error("run.nodes=2020-01-01"), "run.nodes: expected an integer, got a date or time");
  EXPECT_EQ(set_error("algorithm.keep=0.0.1"), "algorithm.keep: expected a number, got string \"0.0.1\"");
  EXPECT_EQ(set_error("topology.redraw=1"), "topology.redraw: expected true or false, got integer 1");
  EXPECT_EQ(set_error("data.name=3"), "data.name: expected a string, got integer 3");
  EXPECT_EQ(set_error("model.hidden=64"), "model.hidden: expected a list of integers, got integer 64");
  EXPECT_EQ(set_error("model.hidden=[64, 0.5]"), "model.hidden: expected a list of integers, got one with number 0.5");
  EXPECT_EQ(set_error("algorithm.final_rounds=often"),
            "algorithm.final_rounds: expected an integer or \"auto\", got string \"often\"");
  EXPECT_EQ(set_error("algorithm.threshold=often"),
            "algorithm.threshold: expected a number or \"auto\", got string \"often\"");
  EXPECT_EQ(set_error("data.name='" + std::string(100, 'x') + "'").find(std::string(81, 'x')), std::string::npos);
}

TEST_F(ConfigFile, ValuesOutOfRangeSayTheRange) {
  EXPECT_EQ(error("[run]\n\nnodes = -4\n"), "a.toml:3: run.nodes: expected 1 <= nodes <= 1000000, got -4");
  EXPECT_EQ(set_error("run.epochs=1000000000000"), "run.epochs: expected 1 <= epochs <= 1000000000, got 1000000000000");
  EXPECT_EQ(set_error("algorithm.keep=2"), "algorithm.keep: expected 0 < keep <= 1, got 2");
  EXPECT_EQ(set_error("algorithm.keep=0"), "algorithm.keep: expected 0 < keep <= 1, got 0");
  EXPECT_EQ(set_error("algorithm.averaging_rate=1.5"),
            "algorithm.averaging_rate: expected 0 < averaging_rate <= 1, got 1.5");
  EXPECT_EQ(set_error("optimizer.momentum=1"), "optimizer.momentum: expected 0 <= momentum < 1, got 1");
  EXPECT_EQ(set_error("optimizer.lr=nan"), "optimizer.lr: expected 0 <= lr <= 1000000, got nan");
  EXPECT_EQ(set_error("optimizer.lr=inf"), "optimizer.lr: expected 0 <= lr <= 1000000, got inf");
  EXPECT_EQ(set_error("optimizer.lr=-inf"), "optimizer.lr: expected 0 <= lr <= 1000000, got -inf");
  EXPECT_EQ(error("[data]\npartition = \"dirichlet\"\nalpha = 1e-320\n"),
            "a.toml:3: data.alpha: expected 1e-300 <= alpha <= 1000000, got 1e-320");
  EXPECT_EQ(set_error("model.hidden=[]"),
            "model.hidden: expected at least one width; a model without hidden layers is model.name = \"softmax\"");
  EXPECT_EQ(error("[data]\nname = \"synthetic\"\nsamples = 5\n"),
            "a.toml:3: data.samples: expected 6 <= samples <= 1000000000, got 5");
  EXPECT_EQ(set_error("model.hidden=[8, 0]"), "model.hidden: expected 1 <= hidden <= 1000000, got 0");
  EXPECT_EQ(set_error("algorithm.final_rounds=0"),
            "algorithm.final_rounds: expected 1 <= final_rounds <= 1000000000000, got 0");
  EXPECT_EQ(error("[algorithm]\nname = \"fda\"\nthreshold = -1\n"),
            "a.toml:3: algorithm.threshold: expected 0 <= threshold <= 1000000000000, got -1");
  std::string list = "[1";
  for (int i = 0; i < 1000; ++i) list += ",1";
  EXPECT_EQ(error("[model]\nhidden = " + list + "]\n"),
            "a.toml:2: model.hidden: expected at most 1000 entries, got 1001");
}

TEST_F(ConfigFile, UnknownValuesNameTheChoicesAndASimilarOne) {
  const std::string error = set_error("algorithm.name=spars_push");
  EXPECT_TRUE(error.starts_with("algorithm.name: expected one of none, sgp, sparse_push, ")) << error;
  EXPECT_TRUE(error.ends_with("; got \"spars_push\"; did you mean \"sparse_push\"?")) << error;
  EXPECT_EQ(set_error("run.precision=bf16"), "run.precision: expected one of auto, fp32, tf32; got \"bf16\"");
  EXPECT_EQ(set_error("run.convolution=cudn"),
            "run.convolution: expected one of own, cudnn; got \"cudn\"; did you mean \"cudnn\"?");
  EXPECT_EQ(set_error("run.backend=quantum"), "run.backend: expected one of auto, cpu, cuda; got \"quantum\"");
  EXPECT_EQ(set_error("topology.weights=moebius"),
            "topology.weights: expected one of uniform, metropolis; got \"moebius\"");
}

TEST_F(ConfigFile, SyntaxErrorsNameTheLine) {
  EXPECT_TRUE(error("[run]\nseed = 3\nseed = 4\n").starts_with("a.toml:3: not TOML: "));
  EXPECT_TRUE(error("[run]\nseed =\n").starts_with("a.toml:2: not TOML: "));
  EXPECT_TRUE(error("[run]\n\nseed = 99999999999999999999\n").starts_with("a.toml:3: not TOML: "));
  EXPECT_TRUE(error("[run]\nx = \"\xff\"\n").starts_with("a.toml:2: not TOML: "));
  EXPECT_TRUE(error("[model]\nhidden = " + std::string(5000, '[') + "\n").starts_with("a.toml:2: not TOML: "));
  EXPECT_TRUE(error("[run]\n\"a\\nb\" = 1\n").starts_with("a.toml:2: unknown key \"a\\u000Ab\"; did you mean "));
  EXPECT_TRUE(error("[run]\n\"\" = 1\n").starts_with("a.toml:2: unknown key \"\"; did you mean "));
}

TEST_F(ConfigFile, BadOverridesSayTheForm) {
  EXPECT_EQ(set_error("keep"), "expected section.key=value");
  EXPECT_EQ(set_error("keep=2"), "expected section.key=value, such as algorithm.keep=...");
  EXPECT_EQ(set_error("run.seed="), "expected a TOML value or a bare word after \"=\", got \"\"");
  EXPECT_EQ(set_error("run.backend=\"cpu"), "expected a TOML value or a bare word after \"=\", got \"\\\"cpu\"");
  EXPECT_EQ(error("", {"run.seed=1\nnodes=2"}),
            "--set run.seed=1 nodes=2: expected a TOML value or a bare word after \"=\", got \"1\\u000Anodes=2\"");
  EXPECT_NE(error("", {"data.file=\xff\xfe"}).find("utf-8"), std::string::npos);
}

TEST_F(ConfigFile, WhatIsNoConfigurationIsRefusedInOneLine) {
  EXPECT_EQ(error_of((folder_ / "missing.toml").string()), "missing.toml: cannot be opened: No such file or directory");
  fs::create_directory(folder_ / "sub");
  EXPECT_EQ(error_of((folder_ / "sub").string()), "sub: expected a TOML file, got a folder");
  EXPECT_EQ(error(std::string("run\0", 4)), "a.toml: expected a TOML file, got a binary file");
  EXPECT_EQ(error(std::string((1 << 20) + 1, '\n')), "a.toml: expected a TOML file of at most 1048576 bytes");
  EXPECT_EQ(error_of("/dev/zero"), "/dev/zero: expected a TOML file of at most 1048576 bytes");
}

TEST_F(ConfigFile, KeysOfAnotherMethodAreErrorsOnTheCommandLine) {
  const std::string sgp =
      "only used with algorithm.name = \"sparse_push\" or \"scsp\" or \"deep_squeeze\" or \"choco\" or "
      "\"quantized_push_sum\", which is \"sgp\" here";
  EXPECT_EQ(error("[algorithm]\nname = \"sgp\"\n", {"algorithm.keep=0.1"}),
            "--set algorithm.keep=0.1: algorithm.keep: " + sgp);
  EXPECT_EQ(error("[algorithm]\nkeep = 0.1\n", {"algorithm.name=sgp", "algorithm.keep=0.1"}),
            "--set algorithm.keep=0.1: algorithm.keep: " + sgp)
      << "the last one that sets it says where";
  EXPECT_EQ(error("", {"algorithm.name=sgp", "algorithm.compressor=top_k"}),
            "--set algorithm.compressor=top_k: algorithm.compressor: " + sgp);
  EXPECT_NE(error("", {"algorithm.name=none", "algorithm.keep=1"}), "");
  EXPECT_EQ(set_error("algorithm.final_rounds=3"),
            "algorithm.final_rounds: only used with algorithm.name = \"scsp\", which is \"sparse_push\" here");
  EXPECT_NE(set_error("algorithm.final=gossip"), "");
  EXPECT_EQ(set_error("data.skew=0.5"), "data.skew: only used with data.partition = \"skew\", which is \"iid\" here");
  EXPECT_EQ(set_error("data.alpha=0.5"),
            "data.alpha: only used with data.partition = \"dirichlet\" or \"quantity\", which is \"iid\" here");
  EXPECT_EQ(set_error("data.samples=50"),
            "data.samples: only used with data.name = \"synthetic\", which is \"digits\" here");
  EXPECT_EQ(set_error("data.file=x"),
            "data.file: only used with data.name = \"file\" or \"quadratic\", which is \"digits\" here");
  EXPECT_EQ(
      set_error("data.path=x"),
      "data.path: only used with data.name = \"cifar10\" or \"cifar100\" or \"mnist\" or \"fashion_mnist\", which "
      "is \"digits\" here");
  for (const char* name : {"synthetic", "quadratic"})
    EXPECT_EQ(error(std::string("[data]\nname = \"") + name + "\"\n", {"data.augment=true"}),
              std::string("--set data.augment=true: data.augment: only used with data.name = \"digits\" or \"cifar10\" "
                          "or \"cifar100\" or "
                          "\"mnist\" or \"fashion_mnist\" or \"file\", which is \"") +
                  name + "\" here");
  EXPECT_EQ(error("", {"data.augment=true"}), "") << "of digits";
  EXPECT_EQ(error("", {"data.augment=true", "data.name=cifar10"}), "");
  EXPECT_EQ(set_error("topology.file=x"),
            "topology.file: only used with topology.name = \"file\", which is \"directed_ring\" here");
  EXPECT_NE(set_error("topology.degree=2"), "");
  EXPECT_NE(set_error("topology.redraw=false"), "");
  EXPECT_NE(error("", {"algorithm.name=none", "algorithm.averaging_rate=0.5"}), "");
  EXPECT_NE(error("", {"algorithm.name=all_reduce", "topology.name=complete"}), "");
  EXPECT_NE(error("", {"model.name=softmax", "model.hidden=[3]"}), "");
  EXPECT_EQ(error("", {"data.file="}), "--set data.file=: expected a TOML value or a bare word after \"=\", got \"\"");
  EXPECT_EQ(error("[data]\nfile = \"\"\npath = \"\"\n"), "") << "an empty path is none";
}

TEST_F(ConfigFile, WhatAMethodCannotHonourIsRefusedWhereverItStands) {
  EXPECT_TRUE(error("[algorithm]\nname = \"d2\"\nlocal_steps = 2\n")
                  .starts_with("a.toml:3: algorithm.local_steps: only used with algorithm.name = "));
  EXPECT_TRUE(error("[algorithm]\nname = \"choco\"\ncompress = \"update\"\n")
                  .starts_with("a.toml:3: algorithm.compress: only used with algorithm.name = "));
  EXPECT_EQ(
      error("[algorithm]\nfinal_rounds = 3\n"),
      "a.toml:2: algorithm.final_rounds: only used with algorithm.name = \"scsp\", which is \"sparse_push\" here");
  EXPECT_EQ(error("[algorithm]\nname = \"d2\"\nlocal_steps = 1\ncompress = \"parameters\"\nfinal_rounds = 50\n"), "")
      << "that is what it does";
}

TEST_F(ConfigFile, KeysOfAFileThatDoNotCountAreLeftOut) {
  const auto left_out = [&](const std::string& text, const std::vector<std::string>& overrides = {}) {
    const Config config = load(text, overrides);
    const Config again = load_config(write("again.toml", to_toml(config)), {});
    EXPECT_TRUE(again.warnings.empty()) << to_toml(config);
    EXPECT_EQ(to_toml(again), to_toml(config));
    EXPECT_EQ(config_hash(again), config_hash(config));
    if (config.warnings.empty()) return std::string();
    EXPECT_EQ(config.warnings.size(), 1u);
    const std::string& line = config.warnings.front();
    const std::string start = (folder_ / "a.toml").string() + ": keys that do not count here: ";
    EXPECT_TRUE(line.starts_with(start)) << line;
    return line.substr(start.size());
  };
  EXPECT_EQ(left_out(""), "");
  EXPECT_EQ(left_out("[algorithm]\nkeep = 0.1\n"), "");
  const std::string compressed =
      "[algorithm]\nname = \"sparse_push\"\ncompressor = \"qsgd\"\nlevels = 3\n"
      "averaging_rate = 0.5\n";
  EXPECT_EQ(left_out(compressed), "");
  EXPECT_EQ(left_out(compressed, {"algorithm.name=sgp"}),
            "algorithm.compressor, algorithm.levels (algorithm.name is \"sgp\")");
  EXPECT_EQ(left_out(compressed, {"algorithm.compressor=sign"}), "algorithm.levels (algorithm.compressor is \"sign\")");
  EXPECT_EQ(left_out(compressed + "[topology]\ndegree = 3\n[data]\nskew = 0.5\naugment = true\n"),
            "data.skew (data.partition is \"iid\"); topology.degree (topology.name is \"directed_ring\")");
  EXPECT_EQ(left_out("[topology]\nname = \"random_out\"\ndegree = 20\n[algorithm]\nname = \"all_reduce\"\n"),
            "topology.name, topology.degree (algorithm.name is \"all_reduce\")");
  EXPECT_EQ(left_out("[optimizer]\nschedule = \"cosine\"\ndecay = 0.5\nbeta2 = 0.5\n"),
            "optimizer.beta2 (optimizer.kind is \"heavy_ball\"); optimizer.decay (optimizer.schedule is \"cosine\")");
  EXPECT_EQ(load("[algorithm]\nname = \"local_sgd\"\naveraging_rate = 0.25\n").algorithm.averaging_rate, 1.0);
  EXPECT_EQ(load("[algorithm]\nname = \"quantized_push_sum\"\n").algorithm.compressor, "qsgd");
  EXPECT_EQ(left_out("[algorithm]\nname = \"quantized_push_sum\"\nkeep = 0.5\n"),
            "algorithm.keep (algorithm.compressor is \"qsgd\")");
  EXPECT_EQ(left_out("[data]\nfile = \"nowhere\"\n"), "data.file (data.name is \"digits\")") << "nobody looks for it";
  write("e.csv", "0,1,0.5\n1,0,0.5\n");
  EXPECT_EQ(left_out("[run]\nnodes = 2\n[topology]\nname = \"file\"\nfile = \"e.csv\"\nweights = \"uniform\"\n"),
            fmt::format("topology.weights (\"{}\" has its own)", (folder_ / "e.csv").string()));
}

TEST_F(ConfigFile, NormalizationIsOfImageModels) {
  EXPECT_EQ(set_error("model.norm=batch"), "model.norm: expected \"none\" for model.name = \"mlp\", got \"batch\"");
  EXPECT_NE(error("", {"model.name=softmax", "model.norm=group"}), "");
  EXPECT_EQ(error("", {"model.name=resnet20", "model.norm=evonorm"}), "");
  EXPECT_EQ(
      error("", {"model.name=lenet5", "model.norm=batch", "algorithm.name=scsp", "algorithm.final_statistics=local"}),
      "");
  EXPECT_EQ(error("", {"model.name=lenet5", "algorithm.name=scsp", "algorithm.final_statistics=local"}),
            "--set algorithm.final_statistics=local: algorithm.final_statistics: only used with model.norm = "
            "\"batch\", which is \"none\" here");
  EXPECT_NE(error("", {"model.name=lenet5", "model.norm=batch", "algorithm.final_statistics=local"}), "");
}

TEST_F(ConfigFile, MilestonesAndWhatTheyChangeAreOfTheScheduleBySteps) {
  const std::string schedule = "optimizer.schedule=cosine";
  for (const char* setting : {"optimizer.milestones=[2]", "optimizer.decay=0.5", "algorithm.averaging_decay=[0.5]"})
    EXPECT_NE(error("", {schedule, setting}).find("only used with optimizer.schedule = \"steps\""), std::string::npos)
        << error("", {schedule, setting});
  EXPECT_EQ(error("", {schedule, "optimizer.lr_end=0.01"}), "");
  EXPECT_NE(error("", {"optimizer.lr_end=0.01"}), "");
  EXPECT_NE(error("", {"algorithm.name=none", "optimizer.milestones=[2]", "algorithm.averaging_decay=[0.5]"}), "");
  EXPECT_NE(set_error("algorithm.averaging_decay=[0]"), "") << "a rate of 0 is no gossip";
  EXPECT_EQ(set_error("algorithm.averaging_decay=[\"half\"]"),
            "algorithm.averaging_decay: expected a list of numbers, got one with string \"half\"");
}

TEST_F(ConfigFile, NumbersMustFitEachOther) {
  EXPECT_EQ(error("", {"run.seed=9223372036854775807", "run.replicas=2"}),
            "--set run.seed=9223372036854775807: run.seed: expected seed + replicas - 1 <= 9223372036854775807, got "
            "9223372036854775807 + 2 - 1");
  EXPECT_NE(error("", {"run.nodes=1000000", "run.replicas=10000"}), "");
  EXPECT_EQ(set_error("run.shards=9"), "run.shards: expected shards <= nodes, got 9 shards for 8 nodes");
  EXPECT_EQ(error("", {"run.shards=8"}), "");
  EXPECT_EQ(set_error("evaluate.nodes=9"), "evaluate.nodes: expected evaluate.nodes <= run.nodes, got 9 of 8 nodes");
  EXPECT_EQ(error("", {"evaluate.nodes=8"}), "");
  EXPECT_EQ(set_error("optimizer.milestones=[3, 2]"), "optimizer.milestones: expected ascending epochs, got [3, 2]");
  EXPECT_NE(set_error("optimizer.milestones=[3, 3]"), "");
  EXPECT_EQ(set_error("algorithm.averaging_decay=[0.5]"),
            "algorithm.averaging_decay: expected a factor for each of 0 milestones, got 1");
  EXPECT_EQ(error("", {"optimizer.milestones=[2, 3]", "algorithm.averaging_decay=[0.5, 1]"}), "");
  const std::string degree = "expected topology.degree < run.nodes, got degree 2 for 2 nodes";
  EXPECT_EQ(error("[run]\nnodes = 2\n[topology]\nname = \"random_out\"\n"), "a.toml:2: run.nodes: " + degree);
  EXPECT_EQ(error("[run]\nnodes = 2\n[topology]\nname = \"random_out\"\ndegree = 2\n"),
            "a.toml:5: topology.degree: " + degree);
}

}  // namespace
}  // namespace sparsepush
