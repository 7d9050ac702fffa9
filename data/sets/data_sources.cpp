#include "data/sets/data_sources.h"

#include "data/sets/array_file.h"
#include "data/sets/cifar.h"
#include "data/sets/digits.h"
#include "data/sets/idx.h"
#include "data/sets/quadratic.h"
#include "data/sets/synthetic.h"

namespace sparsepush {

Dataset outline_of(Dataset set) {
  for (SampleSet* part : {&set.train, &set.test}) *part = {.count = part->count, .bytes = {}, .label = {}};
  return set;
}

const std::vector<DataSource>& data_sources() {
  static const std::vector<DataSource> table = {
      digits_source(),
      cifar_source(cifar10_format()),
      cifar_source(cifar100_format()),
      idx_source(mnist_format()),
      idx_source(fashion_mnist_format()),
      synthetic_source(),
      array_file_source(),
      quadratic_source(),
  };
  return table;
}

}  // namespace sparsepush
