#include "data/partitions/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "kernels/backend/random.h"
#include "tests/data/error_of.h"

namespace sparsepush {
namespace {

using Labels = std::vector<std::uint8_t>;

/// `samples` labels, of equally large classes where possible, in no order.
Labels mixed_labels(int samples, int classes) {
  Labels labels(samples);
  for (int i = 0; i < samples; ++i) labels[(i * 7919LL) % samples] = static_cast<std::uint8_t>(i % classes);
  return labels;
}

void expect_every_sample_once(const Partition& partition, int samples) {
  std::vector<int> owners(samples);
  for (const auto& owned : partition)
    for (const std::int32_t sample : owned) ++owners.at(sample);
  EXPECT_EQ(owners, std::vector<int>(samples, 1));
}

int classes_of(const std::vector<std::int32_t>& owned, const Labels& labels) {
  std::set<int> classes;
  for (const std::int32_t sample : owned) classes.insert(labels[sample]);
  return static_cast<int>(classes.size());
}

TEST(Partition, GivesEverySampleToOneNode) {
  for (const int samples : {1, 31, 1000})
    for (const int nodes : {1, 3, 8, 31}) {
      const Labels labels = mixed_labels(samples, 10);
      expect_every_sample_once(partition_iid(samples, nodes, 1), samples);
      for (const double skew : {0.0, 0.3, 1.0})
        expect_every_sample_once(partition_skew(labels, 10, nodes, skew, 1), samples);
      for (const double alpha : {1e-3, 0.1, 1.0, 100.0, 1e6})
        expect_every_sample_once(partition_dirichlet(labels, 10, nodes, alpha, 1), samples);
    }
}

TEST(Partition, DependsOnTheSeed) {
  const Labels labels = mixed_labels(300, 10);
  EXPECT_EQ(partition_iid(300, 8, 4), partition_iid(300, 8, 4));
  EXPECT_NE(partition_iid(300, 8, 4), partition_iid(300, 8, 5));
  EXPECT_NE(partition_skew(labels, 10, 8, 0.5, 4), partition_skew(labels, 10, 8, 0.5, 5));
  EXPECT_EQ(partition_dirichlet(labels, 10, 8, 0.5, 4), partition_dirichlet(labels, 10, 8, 0.5, 4));
  EXPECT_NE(partition_dirichlet(labels, 10, 8, 0.5, 4), partition_dirichlet(labels, 10, 8, 0.5, 5));
}

TEST(PartitionIid, HasEqualSharesOfAllClasses) {
  const Labels labels = mixed_labels(8003, 10);
  const Partition partition = partition_iid(8003, 8, 1);
  const std::vector<std::int64_t> histogram = class_histogram(partition, labels, 10);
  for (int node = 0; node < 8; ++node) {
    EXPECT_NEAR(static_cast<double>(partition[node].size()), 8003 / 8.0, 1);
    for (int c = 0; c < 10; ++c) EXPECT_NEAR(static_cast<double>(histogram[node * 10 + c]), 100, 60);
  }
}

TEST(PartitionSkew, OfZeroIsIid) {
  EXPECT_EQ(partition_skew(mixed_labels(500, 10), 10, 7, 0, 9), partition_iid(500, 7, 9));
}

TEST(PartitionSkew, OfOneGivesEightNodesAtMostTwoOfTenEqualClasses) {
  const Labels labels = mixed_labels(5000, 10);
  for (const auto& owned : partition_skew(labels, 10, 8, 1, 1)) EXPECT_LE(classes_of(owned, labels), 2);
}

TEST(PartitionSkew, OrdersTheFirstSamplesOfEachClassAndSharesThemOutContiguously) {
  const Labels labels = mixed_labels(1001, 3);
  constexpr double kSkew = 0.7;
  std::vector<std::int32_t> ordered;  // the definition
  std::set<std::int32_t> rest;
  for (int c = 0; c < 3; ++c) {
    std::vector<std::int32_t> samples;
    for (int i = 0; i < 1001; ++i)
      if (labels[i] == c) samples.push_back(i);
    const auto first = static_cast<std::size_t>(std::floor(kSkew * static_cast<double>(samples.size())));
    ordered.insert(ordered.end(), samples.begin(), samples.begin() + first);
    rest.insert(samples.begin() + first, samples.end());
  }
  const Partition partition = partition_skew(labels, 3, 4, kSkew, 2);
  for (int node = 0; node < 4; ++node) {
    const std::size_t begin = node * ordered.size() / 4, end = (node + 1) * ordered.size() / 4;
    std::vector<std::int32_t> from_ordered, expected(ordered.begin() + begin, ordered.begin() + end);
    std::size_t from_rest = 0;
    for (const std::int32_t sample : partition[node])
      rest.contains(sample) ? void(++from_rest) : from_ordered.push_back(sample);
    EXPECT_EQ(from_ordered, expected) << "node " << node;
    EXPECT_NEAR(static_cast<double>(from_rest), rest.size() / 4.0, 1);
  }
}

/// Mean over nodes and classes of (share - 1 / nodes)^2: the variance of a Dirichlet share.
double share_variance(double alpha, int nodes) {
  constexpr int kClasses = 200, kPerClass = 2000;
  Labels labels(kClasses * kPerClass);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::uint8_t>(i % kClasses);
  const auto histogram = class_histogram(partition_dirichlet(labels, kClasses, nodes, alpha, 3), labels, kClasses);
  double sum = 0;
  for (const std::int64_t count : histogram) sum += std::pow(static_cast<double>(count) / kPerClass - 1.0 / nodes, 2);
  return sum / (kClasses * nodes);
}

TEST(PartitionDirichlet, HasTheVarianceOfADirichletDistribution) {
  for (const double alpha : {0.1, 0.7, 1.0, 5.0}) {
    const double variance = 0.25 * 0.75 / (4 * alpha + 1);
    EXPECT_NEAR(share_variance(alpha, 4), variance, 0.15 * variance) << "alpha " << alpha;
  }
}

TEST(PartitionDirichlet, GivesEachClassToOneNodeWhenAlphaIsTiny) {
  const Labels labels = mixed_labels(1000, 10);
  const auto histogram = class_histogram(partition_dirichlet(labels, 10, 5, 1e-4, 1), labels, 10);
  for (const std::int64_t count : histogram) EXPECT_TRUE(count == 0 || count == 100) << count;
}

TEST(PartitionDirichlet, LeavesNoNodeOutOfAllClassesByPosition) {
  const Labels labels = mixed_labels(20000, 10);
  const Partition partition = partition_dirichlet(labels, 10, 10, 1, 1);
  for (const auto& owned : partition) EXPECT_NEAR(static_cast<double>(owned.size()), 2000, 1500);
}

TEST(PartitionShards, GivesEveryNodeItsNumberOfPieces) {
  const Labels labels = mixed_labels(1003, 10);
  std::vector<std::int32_t> ordered;  // the definition
  for (int c = 0; c < 10; ++c)
    for (int i = 0; i < 1003; ++i)
      if (labels[i] == c) ordered.push_back(i);
  for (const int shards : {1, 2, 5}) {
    const Partition partition = partition_shards(labels, 10, 8, shards, 3);
    expect_every_sample_once(partition, 1003);
    const auto pieces = static_cast<std::uint32_t>(8 * shards);
    for (std::uint32_t node = 0; node < 8; ++node) {
      std::vector<std::int32_t> expected;
      for (int j = 0; j < shards; ++j) {
        const std::size_t s =
            random_permutation({.seed = 3, .purpose = Purpose::kPartition}, node * shards + j, pieces);
        expected.insert(expected.end(), ordered.begin() + s * 1003 / pieces, ordered.begin() + (s + 1) * 1003 / pieces);
      }
      EXPECT_EQ(partition[node], expected);
    }
    EXPECT_EQ(partition, partition_shards(labels, 10, 8, shards, 3));
    EXPECT_NE(partition, partition_shards(labels, 10, 8, shards, 4));
  }
}

TEST(PartitionShards, LeaveNodesFewClasses) {
  const Labels labels = mixed_labels(5000, 10);  // no class is smaller than a piece
  for (const int nodes : {5, 20, 100})
    for (const int shards : {1, 2, 3})
      for (const auto& owned : partition_shards(labels, 10, nodes, shards, 1))
        EXPECT_LE(classes_of(owned, labels), 2 * shards);
  EXPECT_EQ(error_of([&] { partition_shards(labels, 10, 2000, 3, 1); }),
            "data.shards: expected run.nodes * shards <= 5000, the training samples; got 2000 * 3");
}

TEST(PartitionQuantity, CutsTheIidOrderByDirichletShares) {
  constexpr int kNodes = 6, kSamples = 3000;
  std::vector<std::int32_t> order;
  for (const auto& owned : partition_iid(kSamples, kNodes, 9)) order.insert(order.end(), owned.begin(), owned.end());
  double variance = 1e9;
  for (const double alpha : {0.05, 0.5, 5.0, 1e5}) {
    const Partition partition = partition_quantity(kSamples, kNodes, alpha, 9);
    std::vector<std::int32_t> all;
    for (const auto& owned : partition) all.insert(all.end(), owned.begin(), owned.end());
    EXPECT_EQ(all, order) << alpha;
    double own = 0;
    for (const auto& owned : partition) own += std::pow(std::ssize(owned) - 500.0, 2);
    EXPECT_LT(own, variance) << alpha;
    variance = own;
  }
  EXPECT_LT(variance, 100) << "alike where alpha is large";
  EXPECT_NE(partition_quantity(kSamples, kNodes, 1, 9), partition_quantity(kSamples, kNodes, 1, 9, 1));
}

TEST(PartitionByOwner, KeepsTheOrderOfSamples) {
  const std::vector<std::int64_t> owner = {2, 0, 2, 0};
  EXPECT_EQ(partition_by_owner(owner, 3), (Partition{{1, 3}, {}, {0, 2}}));
  EXPECT_EQ(error_of([&] { partition_by_owner(owner, 2); }),
            "data.file: train_node: sample 0, counted from 0, belongs to node 2; run.nodes is 2");
  EXPECT_NE(error_of([&] { partition_by_owner({}, 2); }).find("needs data.partition_file"), std::string::npos);
}

Dataset labelled(const Labels& labels, int classes) {
  Dataset set{.name = "set", .features = 1, .classes = classes};
  set.train.count = static_cast<int>(labels.size());
  set.train.label = labels;
  return set;
}

DataConfig dirichlet(double alpha, int min_samples = 1) {
  DataConfig data;
  data.partition = "dirichlet";
  data.alpha = alpha;
  data.min_samples = min_samples;
  return data;
}

bool all_have(const Partition& partition, int least) {
  return std::ranges::all_of(partition, [&](const auto& own) { return std::ssize(own) >= least; });
}

TEST(DivideSamples, TakesTheFirstAttemptThatLeavesNobodyOut) {
  const Labels labels = mixed_labels(1000, 10);
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    int first = 0;
    while (!all_have(partition_dirichlet(labels, 10, 10, 0.1, seed, first), 3)) ++first;
    ASSERT_LT(first, 100);
    EXPECT_EQ(divide_samples(dirichlet(0.1, 3), labelled(labels, 10), 10, seed),
              partition_dirichlet(labels, 10, 10, 0.1, seed, first));
  }
  EXPECT_NE(partition_dirichlet(labels, 10, 10, 0.1, 1, 0), partition_dirichlet(labels, 10, 10, 0.1, 1, 1));
  EXPECT_EQ(divide_samples(dirichlet(0.01, 0), labelled(labels, 10), 10, 1),
            partition_dirichlet(labels, 10, 10, 0.01, 1));
}

TEST(DivideSamples, MendsTheFirstAttemptWhereNoneWill) {
  const Labels labels = mixed_labels(2000, 10);
  Partition expected = partition_dirichlet(labels, 10, 500, 0.1, 4);
  mend(expected, 1);
  const Partition divided = divide_samples(dirichlet(0.1), labelled(labels, 10), 500, 4);
  EXPECT_EQ(divided, expected);
  expect_every_sample_once(divided, 2000);
  EXPECT_TRUE(all_have(divided, 1));
}

TEST(DivideSamples, RedrawsAndMendsQuantities) {
  DataConfig data;
  data.partition = "quantity";
  data.alpha = 0.2;
  const Dataset set = labelled(mixed_labels(500, 10), 10);
  int first = 0;
  while (!all_have(partition_quantity(500, 6, 0.2, 2, first), 1)) ++first;
  EXPECT_EQ(divide_samples(data, set, 6, 2), partition_quantity(500, 6, 0.2, 2, first));
  Partition expected = partition_quantity(500, 200, 0.2, 2);
  mend(expected, 1);
  EXPECT_EQ(divide_samples(data, set, 200, 2), expected);
}

TEST(Mend, TheLargestGivesItsLastSampleToTheLowest) {
  Partition partition = {{}, {1, 2, 3}, {4, 5, 6}, {7}};
  mend(partition, 1);
  EXPECT_EQ(partition, (Partition{{3}, {1, 2}, {4, 5, 6}, {7}}));
  partition = {{3}, {1, 2, 9}, {4, 5, 6}, {7}};
  mend(partition, 2);
  EXPECT_EQ(partition, (Partition{{3, 9}, {1, 2}, {4, 5}, {7, 6}}));
}

TEST(DivideSamples, NamesTheFirstNodeThatHasTooFew) {
  DataConfig data;
  const Labels labels = {0, 1};
  EXPECT_EQ(error_of([&] {
              divide_samples(data, labelled(labels, 2), 3, 1);
            }).find("data.partition: node 0 of 3 has no training samples; data.min_samples is 1"),
            0u);
  data.min_samples = 2;
  EXPECT_EQ(error_of([&] {
              divide_samples(data, labelled(labels, 2), 2, 1);
            }).find("data.partition: node 0 of 2 has 1 training samples; data.min_samples is 2"),
            0u);
  EXPECT_NE(error_of([&] { divide_samples(dirichlet(1, 2), labelled(labels, 2), 2, 1); }), "");
}

TEST(ClassHistogram, CountsTheLabelsOfEachNode) {
  const Labels labels = {0, 1, 1, 2};
  EXPECT_EQ(class_histogram({{0, 1, 2}, {}, {3}}, labels, 3), (std::vector<std::int64_t>{1, 2, 0, 0, 0, 0, 0, 0, 1}));
}

TEST(Partition, RefusesWhatCannotBe) {
  const Labels labels = {0, 1, 2};
  EXPECT_THROW(partition_iid(3, 0, 1), std::invalid_argument);
  EXPECT_THROW(partition_skew(labels, 3, 2, 1.5, 1), std::invalid_argument);
  EXPECT_THROW(partition_skew(labels, 2, 2, 0.5, 1), std::invalid_argument);
  EXPECT_THROW(partition_dirichlet(labels, 3, 2, 0, 1), std::invalid_argument);
}

}  // namespace
}  // namespace sparsepush
