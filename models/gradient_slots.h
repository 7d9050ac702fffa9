// Which tensors' gradients share memory in the backward pass.
#pragma once
#include <vector>

#include "models/network.h"

namespace sparsepush {

struct GradientSlots {
  std::vector<int>
      slot;  ///< [tensors] where the tensor's gradient stands; -1 of the input, whose gradient nobody wants
  std::vector<int> size;  ///< [slots] elements a sample
};

/// Assigns slots to gradients. That of tensor t is written by the backward pass of call t (of the last one, by the
/// loss), and read by that of call t - 1; if that call adds a skip tensor, also by the call that wrote the skip tensor.
GradientSlots assign_gradient_slots(const Network& network);

}  // namespace sparsepush
