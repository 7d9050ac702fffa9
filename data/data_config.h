// The section [data] of a configuration.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace sparsepush {

struct DataConfig {
  std::string name = "digits";
  std::string file;                  ///< of `quadratic` and `file`
  std::string path;                  ///< folder of the sets that are read from files
  std::optional<std::int64_t> seed;  ///< of the partition, for all replicas; nullopt: each replica's own
  std::string partition = "iid";
  std::string partition_file;  ///< of the partition `file`
  int min_samples = 1;         ///< of every node; 0: nodes without data only mix
  double skew = 0.0;
  double alpha = 1.0;                                ///< of `dirichlet` and `quantity`
  int shards = 2;                                    ///< of each node; of the partition `shards`
  int batch = 16;                                    ///< samples a node and step
  bool augment = false;                              ///< crop and mirror images while training
  int samples = 10000, features = 16, classes = 10;  ///< of `synthetic`
  double separation = 3.0;                           ///< of `synthetic`
  std::int64_t epoch_steps = 0;                      ///< of `quadratic`; 0: it has no epochs
};

}  // namespace sparsepush
