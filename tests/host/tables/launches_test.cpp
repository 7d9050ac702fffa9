// Which points of a table may be trained side by side.
#include "host/tables/launches.h"

#include <gtest/gtest.h>

#include "host/tables/point_plan.h"
#include "kernels/backend/backend.h"
#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {

class Launches : public ConfigFile {
 protected:
  /// Of the points of a table with this sweep.
  std::vector<int> numbers(const std::string& sweep, const std::string& base = "") const {
    const TableFile file =
        load_table(write("a.toml", "[run]\nsteps = 4\nnodes = 40\n" + base + "\n[sweep]\n" + sweep + "\n"), {});
    std::vector<int> numbers;
    for (const PointPlan& plan : plan_points<Cpu>(file, true)) numbers.push_back(plan.launch);
    return numbers;
  }
};

TEST_F(Launches, HoldPointsThatDifferInWhatReplicasHaveOfTheirOwn) {
  for (const std::string sweep :
       {"\"run.seed\" = [1, 5]", "\"optimizer.lr\" = [0.1, 0.2]", "\"optimizer.milestones\" = [[], [3]]",
        "\"optimizer.schedule\" = [\"steps\", \"cosine\"]", "\"optimizer.momentum\" = [0.1, 0.2]",
        "\"optimizer.weight_decay\" = [0.1, 0.2]", "\"optimizer.warmup_epochs\" = [0, 2]",
        "\"algorithm.keep\" = [0.1, 0.2]", "\"algorithm.averaging_rate\" = [0.1, 0.2]", "\"data.seed\" = [1, 2]",
        "\"data.partition\" = [\"iid\", \"skew\"]",
        "point = [{name = \"a\", \"data.partition\" = \"dirichlet\", \"data.alpha\" = 2}, {name = \"b\"}]"})
    EXPECT_EQ(numbers(sweep), (std::vector<int>{1, 1})) << sweep;
}

TEST_F(Launches, HoldNoOthers) {
  for (const std::string sweep :
       {"\"run.nodes\" = [40, 50]", "\"run.steps\" = [4, 5]", "\"algorithm.name\" = [\"sgp\", \"sparse_push\"]",
        "\"algorithm.scope\" = [\"layer\", \"global\"]", "\"algorithm.local_steps\" = [1, 2]",
        "\"optimizer.kind\" = [\"heavy_ball\", \"nesterov\"]", "\"data.batch\" = [4, 8]",
        "\"topology.name\" = [\"ring\", \"complete\"]", "\"model.hidden\" = [[4], [5]]",
        "\"evaluate.every_steps\" = [1, 2]"})
    EXPECT_EQ(numbers(sweep), (std::vector<int>{1, 2})) << sweep;
  EXPECT_EQ(numbers("point = [{name = \"a\"}, {name = \"b\", \"run.replicas\" = 2, \"optimizer.lr\" = 0.2}]"),
            (std::vector<int>{1, 2}));
}

TEST_F(Launches, AreOfOneShardAndOfSelectionsThatAreNotVerified) {
  EXPECT_EQ(numbers("\"optimizer.lr\" = [0.1, 0.2]", "shards = 2"), (std::vector<int>{1, 2}));
  EXPECT_EQ(numbers("\"optimizer.lr\" = [0.1, 0.2]", "verify = true"), (std::vector<int>{1, 2}));
}

TEST_F(Launches, AreEquallyLong) {
  const std::string epochs = "\"data.seed\" = [1, 2, 3]\n\"data.alpha\" = [0.02, 100.0]";
  const std::vector<int> found =
      numbers(epochs, "[data]\npartition = \"dirichlet\"\nmin_samples = 0\n[evaluate]\nnodes = 1");
  ASSERT_EQ(found.size(), 6);
  EXPECT_EQ(found[1], found[3]);
  EXPECT_EQ(found[1], found[5]);
  EXPECT_TRUE(found[0] != found[1] || found[2] != found[1] || found[4] != found[1]) << "nodes without samples";
}

TEST_F(Launches, AreNumberedInTheOrderOfPoints) {
  EXPECT_EQ(numbers("\"run.nodes\" = [4, 5]\n\"optimizer.lr\" = [0.1, 0.2]"), (std::vector<int>{1, 1, 2, 2}));
  EXPECT_EQ(numbers("\"optimizer.lr\" = [0.1, 0.2]\n\"run.nodes\" = [4, 5]"), (std::vector<int>{1, 2, 1, 2}));
}

}  // namespace
}  // namespace sparsepush
