// The section [data] of a configuration.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace sparsepush {

struct DataConfig {
  std::string name = "digits";
  std::string file;                  ///< for the data sets `quadratic` and `file`
  std::string path;                  ///< folder of the sets that are read from files
  std::optional<std::int64_t> seed;  ///< seed of the partition, for all replicas; nullopt: each replica's own
  std::string partition = "iid";
  std::string partition_file;  ///< for the partition `file`
  int min_samples = 1;         ///< fewest samples of a node; 0: nodes without data only mix
  double skew = 0.0;
  double alpha = 1.0;                                ///< for the partitions `dirichlet` and `quantity`
  int shards = 2;                                    ///< pieces of each node, for the partition `shards`
  int batch = 16;                                    ///< samples per node and step
  bool augment = false;                              ///< crop and mirror images while training
  int samples = 10000, features = 16, classes = 10;  ///< for the data set `synthetic`
  double separation = 3.0;                           ///< for the data set `synthetic`
  std::int64_t epoch_steps = 0;                      ///< for the data set `quadratic`; 0: it has no epochs
};

}  // namespace sparsepush
