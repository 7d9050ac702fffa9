#include "models/gradient_slots.h"

#include <algorithm>

namespace sparsepush {

GradientSlots assign_gradient_slots(const Network& network) {
  const int tensors = static_cast<int>(network.tensor_sizes.size());
  GradientSlots slots{.slot = std::vector<int>(tensors, -1), .size = {}};
  std::vector<int> last_reader;  // [slots] the call after which a slot is free
  for (int t = tensors - 1; t > 0; --t) {
    const auto free = std::ranges::find_if(last_reader, [t](int call) { return call > t; });
    const auto slot = free - last_reader.begin();
    if (free == last_reader.end()) {
      last_reader.push_back(0);
      slots.size.push_back(0);
    }
    const int skip = network.calls[t - 1].skip;
    last_reader[slot] = (skip == kNoTensor ? t : skip) - 1;
    slots.slot[t] = static_cast<int>(slot);
    slots.size[slot] = std::max(slots.size[slot], network.tensor_sizes[t]);
  }
  return slots;
}

}  // namespace sparsepush
