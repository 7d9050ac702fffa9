#include "data/files/same_content.h"

#include <algorithm>
#include <fstream>
#include <span>
#include <system_error>
#include <vector>

namespace sparsepush {

bool have_same_content(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code error;
  if (std::filesystem::file_size(a, error) != std::filesystem::file_size(b, error) || error) return false;
  std::ifstream first(a, std::ios::binary), second(b, std::ios::binary);
  constexpr std::size_t kBlock = 1 << 16;  // bytes
  std::vector<char> of_first(kBlock), of_second(kBlock);
  while (first && second) {
    first.read(of_first.data(), kBlock);
    second.read(of_second.data(), kBlock);
    const auto count = static_cast<std::size_t>(first.gcount());
    if (second.gcount() != first.gcount()) return false;
    if (!std::ranges::equal(std::span(of_first).first(count), std::span(of_second).first(count))) return false;
  }
  return first.eof() && second.eof();
}

}  // namespace sparsepush
