#include "host/config/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "data/files/input_error.h"
#include "host/config/config_values.h"
#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {

namespace fs = std::filesystem;

TEST_F(ConfigFile, SetsKeysOfEveryType) {
  const Config c = load(
      "[run]\nseed = 9223372036854775807\nnodes = 3\nsteps = 7\n[data]\nname = \"synthetic\"\nseparation = 2\n"
      "[model]\nhidden = [32, 16]\n[topology]\nname = \"random_out\"\nredraw = true\n"
      "[algorithm]\nname = \"scsp\"\nfinal_rounds = \"auto\"\n[optimizer]\nmilestones = [1, 5]\n");
  EXPECT_EQ(c.run.seed, 9223372036854775807u);
  EXPECT_EQ(c.run.nodes, 3);
  EXPECT_EQ(c.data.separation, 2.0) << "an integer is fine for a number";
  EXPECT_EQ(c.model.hidden, (std::vector<std::int64_t>{32, 16}));
  EXPECT_TRUE(c.topology.redraw);
  EXPECT_EQ(c.algorithm.final_rounds, std::nullopt);
  EXPECT_EQ(c.optimizer.milestones, (std::vector<std::int64_t>{1, 5}));
}

TEST_F(ConfigFile, OverridesWinOverTheFileAndTheLastOneWins) {
  const Config c =
      load("[run]\nnodes = 3\n", {"run.nodes=4", "run.nodes=5", "data.partition=dirichlet", "data.alpha=0.5",
                                  "optimizer.milestones=[2, 3]", "data.name=\"digits\""});
  EXPECT_EQ(c.run.nodes, 5);
  EXPECT_EQ(c.data.partition, "dirichlet");
  EXPECT_EQ(c.data.alpha, 0.5);
  EXPECT_EQ(c.optimizer.milestones, (std::vector<std::int64_t>{2, 3}));
}

TEST_F(ConfigFile, AveragingRateDefaultsToWhatTheMethodNeeds) {
  EXPECT_EQ(load("[algorithm]\nkeep = 0.2\n").algorithm.averaging_rate, 0.2);
  EXPECT_EQ(load("[algorithm]\nname = \"scsp\"\nkeep = 0.2\n").algorithm.averaging_rate, 0.2);
  EXPECT_EQ(load("[algorithm]\nname = \"sgp\"\n").algorithm.averaging_rate, 1.0);
  EXPECT_EQ(load("[algorithm]\ncompressor = \"identity\"\n").algorithm.averaging_rate, 1.0);
  EXPECT_EQ(load("[algorithm]\ncompressor = \"identity\"\naveraging_rate = 0.3\n").algorithm.averaging_rate, 0.3);
  EXPECT_EQ(load("", {"algorithm.keep=0.5", "algorithm.averaging_rate=1"}).algorithm.averaging_rate, 1.0);
}

TEST(ConfigHash, CountsAKeyThatCameLaterWhereItIsNotAtItsDefault) {
  Field key = *find_field("algorithm", "local_steps");
  Config config;
  EXPECT_TRUE(counts_for_hash(key, config));
  key.came_later = true;
  EXPECT_FALSE(counts_for_hash(key, config));
  config.algorithm.local_steps = 3;
  EXPECT_TRUE(counts_for_hash(key, config));
  key.changes_bits = false;
  EXPECT_FALSE(counts_for_hash(key, config));
}

class QuadraticConfig : public ConfigFile {
 protected:
  std::string with(const std::string& rest, const std::vector<std::string>& overrides = {}) const {
    write("q.safetensors", "contents");
    return error("[data]\nname = \"quadratic\"\nfile = \"q.safetensors\"\nbatch = 3\n" + rest, overrides);
  }
};

TEST_F(QuadraticConfig, NeedsAFileAndStepsAndHasNoEpochs) {
  EXPECT_EQ(with("[run]\nsteps = 5\n[model]\nname = \"softmax\"\n"), "") << "batch and model are ignored";
  EXPECT_EQ(with(""),
            "a.toml:2: data.name: expected run.steps > 0 with data.name = \"quadratic\", which has no epochs");
  EXPECT_NE(with("[run]\nsteps = 0\n"), "");
  EXPECT_EQ(error("", {"data.name=quadratic"}),
            "--set data.name=quadratic: data.name: \"quadratic\" needs data.file, a safetensors file");
  EXPECT_EQ(with("[run]\nsteps = 5\n[algorithm]\nlocal_steps = 2\n"), "");
  EXPECT_NE(with("[run]\nsteps = 5\n[optimizer]\nmilestones = [1]\n"), "");
  EXPECT_EQ(with("[run]\nsteps = 5\n[optimizer]\nwarmup_epochs = 1\n"),
            "a.toml:8: optimizer.warmup_epochs: expected 0 with data.name = \"quadratic\", which has no epochs");
}

TEST_F(QuadraticConfig, FindsItsFileBesideTheConfigurationOrInTheCurrentFolder) {
  const std::string text = "[run]\nsteps = 5\n[data]\nname = \"quadratic\"\nfile = \"q.safetensors\"\n";
  EXPECT_EQ(error(text),
            "a.toml:5: data.file: no such file: \"q.safetensors\", neither beside the configuration nor in the "
            "current folder");
  write("q.safetensors", "contents");
  EXPECT_EQ(load(text).data.file, (folder_ / "q.safetensors").string());
  EXPECT_EQ(load(text, {"data.file=" + (folder_ / "q.safetensors").string()}).data.file,
            (folder_ / "q.safetensors").string());
  EXPECT_EQ(error(text, {"data.file=/nowhere/q"}),
            "--set data.file=/nowhere/q: data.file: no such file: \"/nowhere/q\"");
  fs::create_directory(folder_ / "folder");
  EXPECT_EQ(error(text, {"data.file=folder"}),
            "--set data.file=folder: data.file: expected a file, got the folder \"folder\"");
  const fs::path before = fs::current_path();
  fs::create_directory(folder_ / "elsewhere");
  fs::current_path(folder_);
  const std::string config = write("elsewhere/b.toml", text);
  const std::string found = load_config(config, {}).data.file;
  fs::current_path(before);
  EXPECT_EQ(found, "q.safetensors");
}

TEST_F(ConfigFile, IsReadFromTextAsFromAFile) {
  const std::string text = "[run]\nnodes = 5\n[data]\nname = \"mnist\"\npath = \"m\"\n";
  fs::create_directories(folder_ / "m");
  const std::vector<std::string> overrides = {"algorithm.keep=0.2"};
  EXPECT_EQ(to_toml(parse_config(text, overrides, (folder_ / "a.toml").string())), to_toml(load(text, overrides)));
  EXPECT_EQ(parse_config(text, {}).data.path, "m") << "of the current folder";
  const auto error_of_text = [](const std::string& document, const std::vector<std::string>& settings) -> std::string {
    try {
      parse_config(document, settings);
      return "";
    } catch (const InputError& e) {
      return e.what();
    }
  };
  EXPECT_EQ(error_of_text("[run]\nnode = 5\n", {}), "configuration:2: unknown key \"node\"; did you mean \"nodes\"?");
  EXPECT_EQ(error_of_text("[run]\nsteps = 5\n[data]\nname = \"quadratic\"\nfile = \"q\"\n", {}),
            "configuration:5: data.file: no such file: \"q\"");
  EXPECT_TRUE(error_of_text(std::string("[run]\0", 6), {}).starts_with("configuration:1: not TOML: "));
}

TEST_F(ConfigFile, TheFolderOfADataSetIsLookedUpBesideTheConfigurationThenInTheCurrentFolder) {
  EXPECT_EQ(load("").data.path, "");
  EXPECT_EQ(load("[data]\nname = \"cifar10\"\n").data.path, "data/cifar10") << "it is missed when it is read";
  EXPECT_EQ(load("[data]\nname = \"mnist\"\npath = \"sets/m\"\n").data.path, "sets/m");
  EXPECT_EQ(load("[data]\nname = \"mnist\"\npath = \"\"\n").data.path, "data/mnist");
  fs::create_directories(folder_ / "data/cifar10");
  fs::create_directories(folder_ / "sets/m");
  EXPECT_EQ(load("[data]\nname = \"cifar10\"\n").data.path, (folder_ / "data/cifar10").string());
  EXPECT_EQ(load("[data]\nname = \"mnist\"\npath = \"sets/m\"\n").data.path, (folder_ / "sets/m").string());
  EXPECT_EQ(load("", {"data.name=cifar100", "data.path=/somewhere"}).data.path, "/somewhere");
}

TEST_F(ConfigFile, TheFolderOfADataSetIsWrittenButDoesNotCountForTheHash) {
  const Config here = load("", {"data.name=cifar100", "data.path=here"});
  const Config there = load("", {"data.name=cifar100", "data.path=there"});
  EXPECT_NE(to_toml(here).find("[data]\nname = \"cifar100\"\npath = \"here\"\n"), std::string::npos);
  EXPECT_EQ(config_hash(here), config_hash(there));
  EXPECT_NE(config_hash(here), config_hash(load("", {"data.name=cifar10", "data.path=here"})));
  EXPECT_NE(config_hash(here), config_hash(load("", {"data.name=cifar100", "data.path=here", "data.batch=3"})));
  EXPECT_EQ(to_toml(load("")).find("path"), std::string::npos);
}

class FileTopologyConfig : public ConfigFile {
 protected:
  static constexpr const char* kText = "[run]\nnodes = 2\n[topology]\nname = \"file\"\nfile = \"e.csv\"\n";
};

TEST_F(FileTopologyConfig, RefusesTwoSourcesOfWeights) {
  write("e.csv", "round,source,target,weight\n0,0,1,0.5\n0,1,0,0.5\n");
  EXPECT_EQ(error(kText), "");
  const std::string line = error(kText, {"topology.weights=uniform"});
  EXPECT_EQ(line,
            "--set topology.weights=uniform: topology.weights: not used with \"e.csv\", which has weights of its own");
  write("e.csv", "round,source,target\n0,0,1\n0,1,0\n");
  EXPECT_EQ(error(kText, {"topology.weights=uniform"}), "");
  EXPECT_EQ(error("[topology]\nname = \"file\"\n"),
            "a.toml:2: topology.name: \"file\" needs topology.file, a CSV file");
}

TEST_F(FileTopologyConfig, OfEitherKindSurvivesARoundTrip) {
  for (const char* text :
       {"round,source,target,weight\n0,0,1,0.5\n0,1,0,0.5\n", "round,source,target\n0,0,1\n0,1,0\n"}) {
    write("e.csv", text);
    const std::string resolved = to_toml(load(kText));
    const Config again = load_config(write("resolved.toml", resolved), {});
    EXPECT_EQ(to_toml(again), resolved);
    EXPECT_EQ(config_hash(again), config_hash(load(kText)));
  }
}

TEST_F(ConfigFile, WhatIsWrittenLoadsAsTheSame) {
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"algorithm.name=sgp"},
      {"algorithm.name=none"},
      {"algorithm.compressor=identity", "algorithm.averaging_rate=0.333333333333333333"},
      {"algorithm.name=scsp", "algorithm.final_rounds=auto", "algorithm.final=all_reduce", "algorithm.keep=1e-7"},
      {"algorithm.name=fda"},
      {"algorithm.name=fda", "algorithm.threshold=3", "algorithm.monitor=naive"},
      {"data.name=synthetic", "data.samples=100", "data.separation=1e3", "model.name=softmax"},
      {"data.name=fashion_mnist", "data.path=sets", "data.augment=true"},
      {"model.name=resnet20", "model.norm=batch", "algorithm.name=scsp", "algorithm.final_statistics=local"},
      {"data.partition=skew", "data.skew=0.1", "run.seed=9223372036854775807", "optimizer.milestones=[0, 3]"},
      {"data.partition=dirichlet", "data.alpha=1e-300", "topology.name=random_out", "topology.redraw=true"}};
  for (const auto& overrides : cases) {
    const Config first = load("", overrides);
    const std::string text = to_toml(first);
    const Config second = load(text);
    EXPECT_EQ(to_toml(second), text);
    EXPECT_EQ(config_hash(second), config_hash(first));
    EXPECT_EQ(second.algorithm.averaging_rate, first.algorithm.averaging_rate);
    EXPECT_EQ(second.algorithm.final_rounds, first.algorithm.final_rounds);
    EXPECT_EQ(second.algorithm.threshold, first.algorithm.threshold);
    EXPECT_EQ(second.algorithm.monitor, first.algorithm.monitor);
    EXPECT_EQ(second.data.alpha, first.data.alpha);
    EXPECT_EQ(second.data.augment, first.data.augment);
    EXPECT_EQ(second.model.hidden, first.model.hidden);
    EXPECT_EQ(second.model.norm, first.model.norm);
    EXPECT_EQ(second.algorithm.final_statistics, first.algorithm.final_statistics);
    EXPECT_EQ(second.run.seed, first.run.seed);
  }
}

TEST_F(ConfigFile, TomlOfTheDefaultsIsReadable) {
  const std::string text = to_toml(load(""));
  EXPECT_TRUE(text.starts_with("[run]\nseed = 1\nnodes = 8\n")) << text;
  EXPECT_NE(text.find("\n\n[model]\nname = \"mlp\"\nhidden = [64]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("weight_decay = 0.0001\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("final"), std::string::npos) << "not a key of sparse_push";
}

TEST_F(ConfigFile, HashChangesWithEveryKeyThatChangesBitsAndNoOther) {
  const std::string plain = config_hash(load(""));
  EXPECT_EQ(plain.size(), 16u);
  EXPECT_EQ(plain.find_first_not_of("0123456789abcdef"), std::string::npos);
  for (const char* same : {"run.backend=cpu", "run.threads=3", "run.shards=2", "run.checkpoint_steps=5",
                           "run.verify=true", "run.tensorboard=true", "run.steps=9", "run.epochs=3", "run.seed=1",
                           "data.augment=false", "algorithm.averaging_rate=0.01", "algorithm.compress=parameters"})
    EXPECT_EQ(config_hash(load("", {same})), plain) << same;
  for (const char* other : {"run.seed=2",
                            "run.nodes=9",
                            "run.replicas=2",
                            "data.name=synthetic",
                            "data.batch=8",
                            "data.partition=skew",
                            "data.augment=true",
                            "model.name=softmax",
                            "model.hidden=[64, 64]",
                            "topology.name=complete",
                            "algorithm.keep=0.02",
                            "algorithm.averaging_rate=0.02",
                            "algorithm.scope=global",
                            "algorithm.name=scsp",
                            "algorithm.local_steps=2",
                            "optimizer.lr=0.2",
                            "optimizer.kind=nesterov",
                            "optimizer.milestones=[1]",
                            "algorithm.compress=update",
                            "evaluate.every_steps=5"})
    EXPECT_NE(config_hash(load("", {other})), plain) << other;
  const std::string images = config_hash(load("", {"model.name=resnet20"}));
  EXPECT_EQ(config_hash(load("", {"model.name=resnet20", "run.precision=auto"})), images);
  EXPECT_NE(config_hash(load("", {"model.name=resnet20", "run.precision=fp32"})), images);
  EXPECT_EQ(config_hash(load("", {"model.name=resnet20", "run.convolution=own"})), images);
  EXPECT_NE(config_hash(load("", {"model.name=resnet20", "run.convolution=cudnn"})), images);
  const std::string warm = config_hash(load("", {"optimizer.warmup_epochs=2", "optimizer.warmup=constant"}));
  EXPECT_NE(warm, plain);
  EXPECT_NE(config_hash(load("", {"optimizer.warmup_epochs=2"})), warm) << "a ramp, as runs of before had none";
  EXPECT_EQ(config_hash(load("", {"optimizer.warmup=constant"})), plain) << "without warm-up";
  for (const char* schedule : {"optimizer.schedule=cosine", "optimizer.schedule=linear"}) {
    EXPECT_NE(config_hash(load("", {schedule, "run.steps=9"})), config_hash(load("", {schedule, "run.steps=10"})));
    EXPECT_NE(config_hash(load("", {schedule, "run.steps=9"})), plain);
  }
  EXPECT_EQ(config_hash(load("", {"algorithm.name=scsp", "algorithm.final_rounds=3"})),
            config_hash(load("", {"algorithm.name=scsp"})));
  std::vector<std::string> overrides = {"algorithm.name=fda"};
  const std::string unset = config_hash(load("", overrides));
  for (const char* other : {"algorithm.threshold=0", "algorithm.monitor=naive"})
    EXPECT_NE(config_hash(load("", {"algorithm.name=fda", other})), unset) << other;
  overrides = {"model.name=resnet20", "algorithm.name=scsp"};
  std::string before = config_hash(load("", overrides));
  for (const char* more : {"model.norm=batch", "algorithm.final_statistics=local"}) {
    overrides.push_back(more);
    const std::string hash = config_hash(load("", overrides));
    EXPECT_NE(hash, before) << more;
    before = hash;
  }
}

TEST_F(QuadraticConfig, HashFollowsTheContentsOfTheFileNotItsName) {
  const std::string text = "[run]\nsteps = 5\n[data]\nname = \"quadratic\"\n";
  write("q.safetensors", "contents");
  write("moved.safetensors", "contents");
  write("other.safetensors", "Contents");
  const auto hash = [&](const std::string& file) { return config_hash(load(text, {"data.file=" + file})); };
  EXPECT_EQ(hash("q.safetensors"), hash("moved.safetensors"));
  EXPECT_NE(hash("q.safetensors"), hash("other.safetensors"));
  EXPECT_EQ(config_hash(load(text + "batch = 3\n", {"data.file=q.safetensors"})), hash("q.safetensors"));
  const Config gone = load(text, {"data.file=moved.safetensors"});
  fs::remove(folder_ / "moved.safetensors");
  EXPECT_THROW(config_hash(gone), InputError);
}

}  // namespace
}  // namespace sparsepush
