#include "data/partitions/partition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "data/files/input_error.h"

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

TEST(CheckEveryNodeHasSamples, NamesTheFirstNodeWithout) {
  check_every_node_has_samples({{1}, {0, 2}});
  try {
    check_every_node_has_samples(partition_iid(2, 3, 1));
    FAIL() << "no error";
  } catch (const InputError& e) {
    EXPECT_NE(std::string(e.what()).find("node 0 of 3"), std::string::npos) << e.what();
  }
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
