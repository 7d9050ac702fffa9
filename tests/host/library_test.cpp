// A run by a program that is not ours: it hands over a configuration as text, hears what happens, stops when it likes,
// and keeps its signal handlers and standard streams to itself.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "host/records/recorder.h"
#include "host/transports/run_shards.h"
#include "tests/temporary_folder.h"
#include "tests/vector_levels.h"

namespace sparsepush {
namespace {

constexpr const char* kConfig = R"(
[run]
nodes = 4
steps = 9
threads = 1
shards = 2
[model]
name = "softmax"
[data]
batch = 4
[evaluate]
every_steps = 3
)";

/// The standard output and error go to a file while it lives.
class CapturedStreams {
 public:
  explicit CapturedStreams(const std::string& path) : saved_{dup(STDOUT_FILENO), dup(STDERR_FILENO)} {
    std::fflush(nullptr);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(file, STDOUT_FILENO);
    dup2(file, STDERR_FILENO);
    close(file);
  }
  ~CapturedStreams() {
    std::fflush(nullptr);
    dup2(saved_[0], STDOUT_FILENO);
    dup2(saved_[1], STDERR_FILENO);
    for (const int descriptor : saved_) close(descriptor);
  }
  CapturedStreams(const CapturedStreams&) = delete;

 private:
  int saved_[2];
};

std::vector<void (*)(int)> signal_handlers() {
  std::vector<void (*)(int)> handlers;
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ}) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    handlers.push_back(action.sa_handler);
  }
  return handlers;
}

/// Trains in the folder `path` until the caller stops it, or to the end; the step that it reaches.
std::int64_t train(const std::string& path, bool resume, Caller caller) {
  const Config config = parse_config(kConfig, {"algorithm.keep=0.1"});
  Experiment experiment(config);
  experiment.prepare_data();
  const RunFolder folder(path, resume);
  Recorder recorder(experiment, folder, "cpu", resume, std::move(caller));
  std::int64_t reached = 0;
  run_shards<Cpu>(config.run.shards, config.run.replicas, config.run.nodes, [&](Transport<Cpu>& transport) {
    const Cpu cpu = tested_cpu(1);
    Emulator<Cpu> emulator(cpu, experiment, transport);
    recorder.begin(emulator);
    while (emulator.step() < experiment.schedule().end() && !recorder.stopped(emulator)) {
      emulator.run_step([&] {
        emulator.take_gradients();
        emulator.run_method();
      });
      recorder.record(emulator);
    }
    if (transport.shard().index == 0) reached = emulator.step();
  });
  recorder.summarize("finished");
  return reached;
}

TEST(Library, TellsItsCallerAndNobodyElse) {
  const TemporaryFolder folder;
  std::vector<std::string> lines;
  std::vector<std::int64_t> steps;
  const auto before = signal_handlers();
  {
    const CapturedStreams streams(folder / "streams");
    train(folder / "out", false,
          {.request =
               [&] {
                 EXPECT_EQ(signal_handlers(), before);
                 return Request::kNone;
               },
           .say = [&](const std::string& line) { lines.push_back(line); },
           .progress =
               [&](const RunPosition& at) {
                 if (!at.testing) steps.push_back(at.last == 9 ? at.step : -1);
               }});
  }
  EXPECT_EQ(std::filesystem::file_size(folder / "streams"), 0u);
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0], "backend: cpu");
  EXPECT_TRUE(lines[4].starts_with("step 9  train loss ")) << lines[4];
  EXPECT_EQ(steps, (std::vector<std::int64_t>{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

constexpr std::int64_t kNoTest = -1;

/// Asks for `request` in the test of a step, or when the run is at step 4; one to save is for one time.
Caller caller_that_asks(Request request, std::int64_t test_of, std::vector<std::int64_t>* steps = nullptr) {
  const auto due = std::make_shared<bool>(false);
  return {.request =
              [=] {
                const Request now = *due ? request : Request::kNone;
                if (request == Request::kSave) *due = false;
                return now;
              },
          .progress =
              [=](const RunPosition& at) {
                const bool in_test = at.step == test_of && at.testing && *at.testing > 0;
                if (test_of == kNoTest ? at.step == 4 : in_test) *due = true;
                if (steps && !at.testing) steps->push_back(at.step);
              }};
}

/// What a run leaves that has to be the same bytes in every such run.
std::vector<std::string> results_in(const std::string& folder) {
  std::vector<std::string> contents;
  for (const char* name : {"checkpoint.safetensors", "metrics.csv", "nodes.csv"})
    contents.push_back(read_file(folder + '/' + name));
  return contents;
}

TEST(Library, SavesAndEndsWhenItsCallerSaysStop) {
  const TemporaryFolder folder;
  EXPECT_EQ(train(folder / "out", false, caller_that_asks(Request::kStop, kNoTest)), 4);
  std::vector<std::int64_t> steps;
  EXPECT_EQ(train(folder / "out", true, caller_that_asks(Request::kNone, kNoTest, &steps)), 9);
  EXPECT_EQ(steps, (std::vector<std::int64_t>{4, 5, 6, 7, 8, 9}));
}

TEST(Library, ATestIsCutOffToStopAndTakenWhenTheRunGoesOn) {
  const TemporaryFolder folder;
  EXPECT_EQ(train(folder / "straight", false, {}), 9);
  for (const std::int64_t step : {0, 3, 9}) {
    const std::string out = folder / ("out" + std::to_string(step));
    EXPECT_EQ(train(out, false, caller_that_asks(Request::kStop, step)), step);
    EXPECT_EQ(read_file(out + "/metrics.csv").find("\n0," + std::to_string(step)), std::string::npos);
    EXPECT_EQ(train(out, true, {}), 9);
    EXPECT_EQ(results_in(out), results_in(folder / "straight"));
  }
}

TEST(Library, ATestBeginsAgainAfterARequestToSave) {
  const TemporaryFolder folder;
  EXPECT_EQ(train(folder / "straight", false, {}), 9);
  Caller caller = caller_that_asks(Request::kSave, 3);
  int saved_at_test = 0;
  const auto progress = caller.progress;
  caller.progress = [&](const RunPosition& at) {
    progress(at);
    const std::string path = folder / "out/checkpoint.safetensors";
    if (at.step == 3 && at.testing == 0.0 && read_file(path).find("\"untested\"") != std::string::npos) ++saved_at_test;
  };
  EXPECT_EQ(train(folder / "out", false, caller), 9);
  EXPECT_EQ(saved_at_test, 1);
  EXPECT_EQ(results_in(folder / "out"), results_in(folder / "straight"));
}

TEST(Library, AnExceptionOfItsCallerComesOutOfTheRun) {
  const TemporaryFolder folder;
  const auto leave = [](const RunPosition& at) {
    if (at.step == 5) throw std::runtime_error("enough");
  };
  EXPECT_THROW(train(folder / "out", false, {.progress = leave}), std::runtime_error);
  EXPECT_EQ(train(folder / "out", true, {}), 9);
}

}  // namespace
}  // namespace sparsepush
