// Which GPU is which, whatever numbers a process sees them under.
#pragma once
#include <string>

namespace sparsepush {

/// Returns where a GPU is on its machine's bus, such as "0000:3b:00.0". Throws std::runtime_error if there is none of
/// this number.
std::string bus_id(int device);

}  // namespace sparsepush
