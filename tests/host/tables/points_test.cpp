// What a table's file says, as points and rows.
#include "host/tables/points.h"

#include <gtest/gtest.h>

#include "host/tables/table_file.h"
#include "tests/host/config/config_file.h"

namespace sparsepush {
namespace {

using Texts = std::vector<std::string>;

class PointsOf : public ConfigFile {
 protected:
  TableFile table(const std::string& text, const Texts& overrides = {}) const {
    return load_table(write("a.toml", text), overrides);
  }
  std::string table_error(const std::string& text, const Texts& overrides = {}) const {
    try {
      table(text, overrides);
      return "";
    } catch (const InputError& error) {
      std::string line = error.what();
      const std::string folder = folder_.string() + "/";
      if (const std::size_t at = line.find(folder); at != std::string::npos) line.erase(at, folder.size());
      return line;
    }
  }
  static Texts names(const TableFile& file) {
    Texts names;
    for (const TablePoint& point : file.points) names.push_back(point.name);
    return names;
  }
};

constexpr const char* kTwoMethods = R"(run.replicas = 3
data.partition = "skew"
[sweep]
"data.skew" = [0.0, 0.8]
"algorithm.keep" = [0.1, 0.01]
point = [
  { name = "SGP", "algorithm.name" = "sgp" },
  { name = "Sparse-Push", "algorithm.name" = "sparse_push" },
]
)";

TEST_F(PointsOf, AGridTimesNamedPointsAreEachConfigurationOnce) {
  EXPECT_EQ(names(table(kTwoMethods)),
            Texts({"SGP, skew=0", "SGP, skew=0.8", "Sparse-Push, keep=0.1, skew=0", "Sparse-Push, keep=0.01, skew=0",
                   "Sparse-Push, keep=0.1, skew=0.8", "Sparse-Push, keep=0.01, skew=0.8"}));
}

TEST_F(PointsOf, AreWhatTheyAreWhereverTheyStand) {
  const TableFile one = table(kTwoMethods);
  const TableFile other = table(
      "data.partition = \"skew\"\n[[sweep.point]]\nname = \"Sparse-Push\"\ndata.skew = 0.8\nalgorithm.keep = 0.01\n"
      "[run]\nreplicas = 3\nthreads = 7\n");
  ASSERT_EQ(other.points.size(), 1);
  EXPECT_EQ(other.points[0].name, "Sparse-Push");
  EXPECT_EQ(other.points[0].id, one.points[5].id);
  EXPECT_NE(one.points[4].id, one.points[5].id);
}

TEST_F(PointsOf, AnIdCoversAllThatChangesResultsTheLengthToo) {
  const auto id = [this](const std::string& base) {
    return table(base + "\n[sweep]\n\"algorithm.name\" = [\"scsp\"]\n").points.front().id;
  };
  const std::string before = id("");
  for (const char* same : {"[run]\nthreads = 2", "[run]\nbackend = \"cpu\"", "[run]\ncheckpoint_steps = 7",
                           "[run]\nepochs = 1", "[algorithm]\nfinal_rounds = 50", "[data]\nalpha = 0.3"})
    EXPECT_EQ(id(same), before) << same;
  for (const char* other : {"[run]\nsteps = 7", "[run]\nepochs = 2", "[run]\nreplicas = 2", "[run]\nseed = 2",
                            "[algorithm]\nfinal_rounds = 51", "[evaluate]\nevery_steps = 3", "[data]\nbatch = 8"})
    EXPECT_NE(id(other), before) << other;
}

TEST_F(PointsOf, KeysOfTheGridThatAMethodCannotHonourAreLeftOutToo) {
  const std::string text = "[sweep]\n\"algorithm.final_rounds\" = [2, 4]\n\"algorithm.name\" = [\"sgp\", \"scsp\"]\n";
  EXPECT_EQ(names(table(text)), Texts({"sgp", "scsp, final_rounds=2", "scsp, final_rounds=4"}));
  EXPECT_EQ(table_error("[algorithm]\nfinal_rounds = 9\n" + text),  // of the base it is refused as in a run
            "a.toml:2: point \"sgp\": algorithm.final_rounds: only used with algorithm.name = \"scsp\", which is "
            "\"sgp\" here");
}

TEST_F(PointsOf, FoldersAreFoundByTheirId) {
  const TablePoint point = table(kTwoMethods).points[3];
  EXPECT_EQ(folder_name(point), "Sparse-Push_keep=0.01_skew=0-" + point.id.substr(0, 8));
  EXPECT_EQ(id_of_folder(folder_name(point)), short_id(point));
  for (const char* name : {"", "a", "-0123456", "0123456789", "x-0123456g"}) EXPECT_EQ(id_of_folder(name), "") << name;
  EXPECT_EQ(id_of_folder("x-01234567"), "01234567");
}

TEST_F(PointsOf, FoldersHaveNamesThatAnyFileSystemTakes) {
  const std::string name(400, 'x');
  const TableFile file = table("[[sweep.point]]\nname = \"a/b \xc3\xa9 50 %\"\n[[sweep.point]]\nname = \"" + name +
                               "\"\noptimizer.lr = 0.3\n");
  EXPECT_EQ(folder_name(file.points[0]), "a_b_50_-" + short_id(file.points[0]));
  EXPECT_LE(folder_name(file.points[1]).size(), 255);
}

TEST_F(PointsOf, KeysOfOneNameAreToldApart) {
  EXPECT_EQ(names(table("[sweep]\n\"topology.name\" = [\"complete\"]\n\"model.name\" = [\"softmax\"]\n")),
            Texts({"sparse_push, model=softmax, topology=complete"}));
  EXPECT_EQ(names(table("[sweep]\n\"run.nodes\" = [4]\n\"evaluate.nodes\" = [2]\n")),
            Texts({"sparse_push, evaluate.nodes=2, run.nodes=4"}));
  EXPECT_EQ(names(table("[sweep]\n\"algorithm.name\" = [\"sgp\", \"none\"]\n")), Texts({"sgp", "none"}));
}

TEST_F(PointsOf, RowsAreMeansOverSeeds) {
  const TableFile file = table("[sweep]\n\"run.seed\" = [1, 5]\n\"optimizer.lr\" = [0.1, 0.2]\n");
  EXPECT_EQ(names(file), Texts({"sparse_push, lr=0.1, seed=1", "sparse_push, lr=0.2, seed=1",
                                "sparse_push, lr=0.1, seed=5", "sparse_push, lr=0.2, seed=5"}));
  ASSERT_EQ(file.rows.size(), 2);
  EXPECT_EQ(file.rows[0].name, "sparse_push, lr=0.1");
  EXPECT_EQ(file.rows[0].points, std::vector<int>({0, 2}));
}

TEST_F(PointsOf, TheReferenceOfARowAgreesInWhatCountsForBoth) {
  const TableFile file = table(std::string(kTwoMethods) + "[table]\nreference = \"SGP\"\n");
  EXPECT_EQ(file.reference_rows, std::vector<int>({0, 1, 0, 0, 1, 1}));
  const TableFile by_key =
      table(std::string(kTwoMethods) + "[table]\nreference = { name = \"Sparse-Push\", \"algorithm.keep\" = 0.1 }\n");
  EXPECT_EQ(by_key.reference_rows, std::vector<int>({2, 4, 2, 2, 4, 4}));
  const TableFile fixed =
      table(std::string(kTwoMethods) + "[table]\nreference = { name = \"SGP\", data.skew = 0.8 }\n");
  EXPECT_EQ(fixed.reference_rows, std::vector<int>({1, 1, 1, 1, 1, 1}));
}

TEST_F(PointsOf, AReferenceNeedsTheSeedsOfTheRow) {
  EXPECT_EQ(table_error("[sweep]\npoint = [{ name = \"A\", run.replicas = 2 }, { name = \"B\", optimizer.lr = 0.3, "
                        "run.replicas = 3 }]\n[table]\nreference = \"A\"\n"),
            "a.toml:4: table.reference: \"A\" has no run of seed 3, to compare \"B\" with");
}

TEST_F(PointsOf, TwoNamesOfOneConfigurationAreBothItsNames) {
  const TableFile file = table(
      "[sweep]\npoint = [{ name = \"A\" }, { name = \"B\" }]\n[[claim]]\nname = \"x\"\nrow = { name = \"B\" }\n"
      "metric = \"accuracy_mean\"\nat_least = 0\nsource = \"y\"\n");
  EXPECT_EQ(names(file), Texts({"A"}));
  EXPECT_EQ(file.claims.front().rows, std::vector<int>({0}));
  EXPECT_EQ(file.warnings, Texts({"the same settings under several names: \"A\" is B as well"}));
}

TEST_F(PointsOf, AnEmptyWordIsAValueAndNotOneThatDoesNotCount) {
  const std::string checkpoint = write("start.safetensors", "x");
  const TableFile file = table("[sweep]\n\"run.start\" = [\"\", \"" + checkpoint +
                               "\"]\npoint = [{ name = \"A\" }, { name = \"B\", optimizer.lr = 0.3 }]\n"
                               "[table]\nreference = \"A\"\nacross = \"run.start\"\n");
  ASSERT_EQ(file.rows.size(), 4);
  EXPECT_EQ(file.rows[0].values.front(), "");
  EXPECT_EQ(names(table("[sweep]\n\"run.start\" = [\"\"]\n")), Texts({"sparse_push, start="}));
  EXPECT_EQ(file.reference_rows, std::vector<int>({0, 1, 0, 1}));
}

TEST_F(PointsOf, WhatTheGridSaysIsTakenByAPoint) {
  EXPECT_EQ(table_error("[sweep]\n\"optimizer.lr\" = [0.1, 0.2]\npoint = [{ name = \"A\", optimizer.lr = 0.3 }, { name "
                        "= \"B\", optimizer.lr = 0.4 }]\n"),
            "a.toml:2: optimizer.lr: each point of the table sets it itself");
  EXPECT_EQ(table_error("[sweep]\n\"run.seed\" = [1, 2, 1]\n"), "a.toml:2: run.seed: the value 1 stands there twice");
  EXPECT_EQ(table_error("[sweep]\n\"algorithm.keep\" = [0.1, 1e-1]\n"),
            "a.toml:2: algorithm.keep: the value 0.1 stands there twice");
}

TEST_F(PointsOf, ValuesThatAgreeInSixDigitsAreToldApart) {
  EXPECT_EQ(names(table("[sweep]\n\"optimizer.lr\" = [0.12345671, 0.12345674]\n\"algorithm.keep\" = [0.1]\n")),
            Texts({"sparse_push, keep=0.1, lr=0.12345671", "sparse_push, keep=0.1, lr=0.12345674"}));
}

TEST_F(PointsOf, KeysThatTellNothingApartAreRefused) {
  EXPECT_EQ(table_error("[sweep]\n\"run.checkpoint_steps\" = [10, 20]\n"),
            "a.toml:2: run.checkpoint_steps: its values are the same point, and so it cannot be swept");
  EXPECT_EQ(names(table("[sweep]\n\"run.steps\" = [10, 20]\n")),
            Texts({"sparse_push, steps=10", "sparse_push, steps=20"}));
  for (const char* key : {"run.seed", "run.replicas"})
    EXPECT_EQ(
        table_error(std::string("[sweep]\n\"run.seed\" = [1, 3]\n[table]\nreference = { \"") + key + "\" = 1 }\n"),
        std::string("a.toml:4: ") + key + ": tells no rows apart, which are means over it");
}

TEST_F(PointsOf, OnePointIsStillAListOfThem) {
  EXPECT_EQ(table_error("[sweep.point]\nname = \"A\"\n"),
            "a.toml:1: sweep.point: expected a section [[sweep.point]], got [sweep.point]");
}

TEST_F(PointsOf, PointsRunInAThreadEachUnlessThatIsSet) {
  const std::string sweep = "[sweep]\n\"optimizer.lr\" = [0.1]\n";
  EXPECT_EQ(table(sweep).points.front().config.run.threads, 1);
  EXPECT_EQ(table("[run]\nthreads = 3\n" + sweep).points.front().config.run.threads, 3);
  EXPECT_EQ(table(sweep, {"run.threads=2"}).points.front().config.run.threads, 2);
}

TEST_F(PointsOf, ErrorsNameFileLinePointAndKey) {
  EXPECT_EQ(table_error("[sweep]\n\n\"algorithm.keep\" = [0.1, 2.0]\n"),
            "a.toml:3: point \"sparse_push\": algorithm.keep: expected 0 < keep <= 1, got 2");
  EXPECT_EQ(table_error("[sweep]\npoint = [{ name = \"A\" }, { name = \"B\", \"algorithm.compressor\" = \"sign\" }]\n"),
            "a.toml:2: point \"B\": algorithm.averaging_rate: has to be set with algorithm.compressor = \"sign\"");
  EXPECT_EQ(table_error("[sweep]\n\"optimizer.lr\" = [0.1]\n", {"optimizer.lr=0.2"}),
            "--set optimizer.lr=0.2: optimizer.lr: is swept by the table (a.toml:2)");
  EXPECT_EQ(table_error("[sweep]\npoint = [{ name = \"A\\nB\" }]\n"),
            "a.toml:2: name: expected one line of text, got \"A\\u000AB\"");
}

}  // namespace
}  // namespace sparsepush
