// Which points of a table are trained, and when.
#include "host/tables/run_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "host/records/metrics.h"
#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// Leaves what a run of one step leaves.
void write_run(const fs::path& folder, const std::string& status) {
  fs::create_directories(folder);
  std::ofstream(folder / "metrics.csv") << metrics_header() << "\n"
                                        << metrics_line({.step = 0}) << "\n"
                                        << metrics_line({.step = 1}) << "\n";
  std::ofstream(folder / "summary.json") << R"({"status": ")" << status << R"("})";
}

using Rates = std::vector<double>;

class RunTable : public ConfigFile {
 protected:
  void SetUp() override {
    ConfigFile::SetUp();
    file_ = load_table(
        write("a.toml", "run.steps = 1\nrun.nodes = 2\n[sweep]\n\"optimizer.lr\" = [0.1, 0.2, 0.3, 0.4]\n"), {});
    plans_ = plan_points<Cpu>(file_, true);
  }
  using TrainPoint = std::function<RunEnd(const Config&, const fs::path& folder, const Caller&)>;

  TableEnd run(const TableOptions& options, const TrainPoint& train, const Caller& caller = {}) {
    trained_.clear();
    const auto train_one = [&](const std::vector<WantedRun>& runs, const Caller& of_point) {
      EXPECT_EQ(runs.size(), 1);
      {
        const std::lock_guard lock(mutex_);
        trained_.insert(runs[0].config.optimizer.lr);
        most_ = std::max<int>(most_, ++running_);
      }
      const auto end = train(runs[0].config, runs[0].folder, of_point);
      --running_;
      return end;
    };
    return run_table(file_, plans_, options, train_one, caller);
  }
  /// The same with points side by side; `train` has their rates, and says whether it refuses them.
  TableEnd share(TableOptions options, const std::function<bool(const Rates&, const std::vector<WantedRun>&)>& train) {
    launches_.clear();
    options.share = true;
    const auto train_all = [&](const std::vector<WantedRun>& runs, const Caller& caller) {
      Rates rates;
      for (const WantedRun& run : runs) rates.push_back(run.config.optimizer.lr);
      launches_.push_back(rates);
      if (begins_) caller.progress({});
      if (!train(rates, runs)) throw InputError("refused");
      return RunEnd::kFinished;
    };
    return run_table(file_, plans_, options, train_all,
                     {.say = [this](const std::string& line) { said_ += line + "\n"; }});
  }
  TableOptions options(int jobs, double points_in_memory = 100) const {
    return {.out = folder_ / "out", .jobs = jobs, .memory = points_in_memory * plans_.front().memory};
  }

  TableFile file_;
  std::vector<PointPlan> plans_;
  std::mutex mutex_;
  std::set<double> trained_;
  std::vector<Rates> launches_;
  bool begins_ = true;
  std::string said_;
  std::atomic<int> running_ = 0, most_ = 0;  ///< points at once
};

RunEnd finish(const Config&, const fs::path& folder, const Caller&) {
  std::this_thread::sleep_for(20ms);
  write_run(folder, "finished");
  return RunEnd::kFinished;
}

TEST_F(RunTable, AsManyPointsRunAtOnceAsThereAreJobsAndMemory) {
  for (const auto& [jobs, in_memory, most] : {std::tuple(3, 100.0, 3), {3, 2.5, 2}, {4, 0.5, 1}, {1, 100.0, 1}}) {
    most_ = 0;
    fs::remove_all(folder_ / "out");
    const auto wait_for_others = [&, most = most](const Config& config, const fs::path& folder, const Caller& caller) {
      for (int i = 0; i < 5000 && most_ < most; ++i) std::this_thread::sleep_for(1ms);
      return finish(config, folder, caller);
    };
    EXPECT_TRUE(run(options(jobs, in_memory), wait_for_others).all_finished);
    EXPECT_EQ(trained_.size(), 4);
    EXPECT_EQ(most_, most) << jobs << " " << in_memory;
  }
}

TEST_F(RunTable, FinishedPointsAreNotTrainedAgain) {
  run(options(2), finish);
  EXPECT_TRUE(run(options(2), finish).all_finished);
  EXPECT_TRUE(trained_.empty());
}

TEST_F(RunTable, APointThatFailsLeavesTheOthersAlone) {
  const auto fail = [](const Config& config, const fs::path& folder, const Caller& caller) {
    if (config.optimizer.lr == 0.2) throw std::runtime_error("the disk is full");
    return finish(config, folder, caller);
  };
  std::string said;
  EXPECT_FALSE(run(options(2), fail, {.say = [&](const std::string& line) { said += line + "\n"; }}).all_finished);
  EXPECT_EQ(trained_.size(), 4);
  EXPECT_NE(said.find("lr=0.2 failed after 0.0 s: the disk is full"), std::string::npos) << said;
  EXPECT_TRUE(run(options(2), finish).all_finished);
  EXPECT_EQ(trained_, std::set{0.2});
}

TEST_F(RunTable, DivergedPointsAreTrainedAgainOnlyIfAskedFor) {
  const auto diverge = [](const Config& config, const fs::path& folder, const Caller& caller) {
    if (config.optimizer.lr != 0.3) return finish(config, folder, caller);
    write_run(folder, "diverged");
    throw Diverged("diverged at step 1");
  };
  run(options(2), diverge);
  run(options(2), finish);
  EXPECT_TRUE(trained_.empty());
  TableOptions again = options(2);
  again.retry = true;
  EXPECT_TRUE(run(again, finish).all_finished);
  EXPECT_EQ(trained_, std::set{0.3});
}

TEST_F(RunTable, OneRequestToStopIsForAllPoints) {
  std::atomic<bool> stop = false;
  const auto wait = [](const Config&, const fs::path& folder, const Caller& caller) {
    while (caller.request() != Request::kStop) std::this_thread::sleep_for(1ms);
    write_run(folder, "interrupted");
    return RunEnd::kStopped;
  };
  const auto request = [&] {
    if (running_ == 2) stop = true;  // asked under the table's lock, by both
    return stop ? Request::kStop : Request::kNone;
  };
  const TableEnd end = run(options(2), wait, {.request = request});
  EXPECT_TRUE(end.stopped);
  EXPECT_FALSE(end.all_finished);
  EXPECT_EQ(trained_.size(), 2);
}

TEST_F(RunTable, OneRequestToSaveIsForAllPointsThatRun) {
  std::atomic<int> saves = 0, begun = 0;
  const auto wait = [&](const Config&, const fs::path& folder, const Caller& caller) {
    for (++begun; caller.request() != Request::kSave;) std::this_thread::sleep_for(1ms);
    ++saves;
    EXPECT_EQ(caller.request(), Request::kNone);
    write_run(folder, "finished");
    return RunEnd::kFinished;
  };
  int asked = 0;  // a request for each pair of points
  const auto request = [&] {
    if (begun < 2 * (asked + 1)) return Request::kNone;
    ++asked;
    return Request::kSave;
  };
  EXPECT_TRUE(run(options(2), wait, {.request = request}).all_finished);
  EXPECT_EQ(saves, 4);
  EXPECT_EQ(asked, 2);
}

/// Leaves what finished runs leave.
bool finish_all(const Rates&, const std::vector<WantedRun>& runs) {
  for (const WantedRun& run : runs) write_run(run.folder, "finished");
  return true;
}

TEST_F(RunTable, PointsOfALaunchAreTrainedSideBySide) {
  EXPECT_TRUE(share(options(1), finish_all).all_finished);
  EXPECT_EQ(launches_, (std::vector<Rates>{{0.1, 0.2, 0.3, 0.4}}));
  EXPECT_NE(said_.find("4 points: 4 to train, 4 at once"), std::string::npos) << said_;
  share(options(1), finish_all);
  EXPECT_TRUE(launches_.empty());
}

TEST_F(RunTable, OtherLaunchesAreTrainedOneAfterTheOther) {
  plans_[1].launch = plans_[2].launch = 7;
  EXPECT_TRUE(share(options(1), finish_all).all_finished);
  EXPECT_EQ(launches_, (std::vector<Rates>{{0.1, 0.4}, {0.2, 0.3}}));
}

TEST_F(RunTable, ALaunchThatIsRefusedIsDivided) {
  const auto two_fit = [](const Rates& rates, const std::vector<WantedRun>& runs) {
    return rates.size() <= 2 && finish_all(rates, runs);
  };
  EXPECT_TRUE(share(options(1), two_fit).all_finished);
  EXPECT_EQ(launches_, (std::vector<Rates>{{0.1, 0.2, 0.3, 0.4}, {0.1, 0.2}, {0.3, 0.4}}));
}

TEST_F(RunTable, APointThatIsRefusedFailsAlone) {
  const auto refuse_one = [](const Rates& rates, const std::vector<WantedRun>& runs) {
    return std::ranges::find(rates, 0.2) == rates.end() && finish_all(rates, runs);
  };
  EXPECT_FALSE(share(options(1), refuse_one).all_finished);
  EXPECT_EQ(launches_, (std::vector<Rates>{{0.1, 0.2, 0.3, 0.4}, {0.1, 0.2}, {0.1}, {0.2}, {0.3, 0.4}}));
  EXPECT_NE(said_.find("lr=0.2 failed after 0.0 s: refused"), std::string::npos) << said_;
  EXPECT_EQ(said_.find("lr=0.3 failed"), std::string::npos) << said_;
}

TEST_F(RunTable, ALaunchThatFailsIsDividedWithoutPointsThatHaveEnded) {
  const auto fail = [](const Rates& rates, const std::vector<WantedRun>& runs) {
    if (rates.size() == 4) {
      write_run(runs[0].folder, "finished");
      write_run(runs[1].folder, "diverged");
    }
    if (std::ranges::count(rates, 0.3) > 0) throw std::runtime_error("the disk is full");
    return finish_all(rates, runs);
  };
  share(options(1), fail);
  EXPECT_EQ(launches_, (std::vector<Rates>{{0.1, 0.2, 0.3, 0.4}, {0.3}, {0.4}}));
  for (const char* end :
       {"lr=0.1 finished", "lr=0.2 diverged", "lr=0.3 failed after 0.0 s: the disk is full", "lr=0.4 finished"})
    EXPECT_NE(said_.find(end), std::string::npos) << end << "\n" << said_;
  EXPECT_FALSE(share(options(1), finish_all).all_finished);
  EXPECT_EQ(launches_, (std::vector<Rates>{{0.3}}));
}

TEST_F(RunTable, ALaunchThatDoesNotBeginIsDividedWhateverTheReason) {
  begins_ = false;
  const auto two_fit = [](const Rates& rates, const std::vector<WantedRun>& runs) {
    if (rates.size() > 2) throw std::runtime_error("the GPU's memory is full");
    return finish_all(rates, runs);
  };
  EXPECT_TRUE(share(options(1), two_fit).all_finished);
  EXPECT_EQ(launches_.size(), 3);
}

TEST_F(RunTable, WarningsNameTheirPoints) {
  const auto warn = [](const Rates& rates, const std::vector<WantedRun>& runs) {
    runs[2].say("warning: it grows");
    runs[2].say("step 1");
    return finish_all(rates, runs);
  };
  share(options(1), warn);
  EXPECT_NE(said_.find("lr=0.3: warning: it grows\n"), std::string::npos) << said_;
  EXPECT_EQ(said_.find("step 1"), std::string::npos) << said_;
}

}  // namespace
}  // namespace sparsepush
