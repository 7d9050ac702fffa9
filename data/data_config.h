// The section [data] of a configuration.
#pragma once
#include <cstdint>
#include <string>

namespace sparsepush {

struct DataConfig {
  std::string name = "digits";
  std::string file;  ///< of `quadratic`
  std::string path;  ///< folder of the sets that are read from files
  std::string partition = "iid";
  double skew = 0.0;
  double alpha = 1.0;                                ///< of `dirichlet`
  int batch = 16;                                    ///< samples a node and step
  bool augment = false;                              ///< crop and mirror images while training
  int samples = 10000, features = 16, classes = 10;  ///< of `synthetic`
  double separation = 3.0;                           ///< of `synthetic`
  std::int64_t epoch_steps = 0;                      ///< of `quadratic`; 0: it has no epochs
};

}  // namespace sparsepush
