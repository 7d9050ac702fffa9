// page.css, and page_axes.js with page.js, which CMake makes part of the program.
#pragma once
#include <string_view>

namespace sparsepush {

std::string_view page_style();
std::string_view page_script();

}  // namespace sparsepush
