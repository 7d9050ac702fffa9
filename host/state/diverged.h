// The end of runs that go out of bounds.
#pragma once
#include <stdexcept>

namespace sparsepush {

/// `what()` names step, node and tensor.
class Diverged : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace sparsepush
