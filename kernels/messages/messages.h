// What nodes send in a round.
#pragma once
#include <cstdint>

#include "kernels/backend/view.h"

namespace sparsepush {

/// One sparse message per slot. A slot is a local node or, after those, a remote in-neighbour. The entries of a message
/// are ordered by increasing position; positions count elements of the padded row, and never point at padding.
struct Messages {
  MatrixView<std::int32_t> position;  ///< [slots, entries] where in the row
  MatrixView<float> value;            ///< [slots, entries]
};

/// The same, to read.
struct ConstMessages {
  MatrixView<const std::int32_t> position;  ///< [slots, entries]
  MatrixView<const float> value;            ///< [slots, entries]

  ConstMessages(MatrixView<const std::int32_t> position, MatrixView<const float> value)
      : position(position), value(value) {}
  ConstMessages(const Messages& m) : position(m.position), value(m.value) {}
};

}  // namespace sparsepush
