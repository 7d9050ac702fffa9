#include "data/files/whole_file.h"

#include <fstream>
#include <iterator>

#include "data/files/input_error.h"

namespace sparsepush {

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError("{}: cannot be read", path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace sparsepush
