// What this program is.
#pragma once
#include <string>

namespace sparsepush {

std::string version_line();  ///< such as "0.1.0"
std::string version_text();  ///< version, backends, convolutions, precision, library versions; several lines

}  // namespace sparsepush
