#include "host/tables/table_folder.h"

#include <fstream>
#include <iterator>
#include <system_error>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

const fs::path& check_is_table(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error) || fs::exists(path / "table.toml", error)) return path;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error))
    if (entry.path().filename() != ".lock")
      throw InputError("{} is not empty and holds no table: pass another --out", path.string());
  return path;
}

}  // namespace

TableFolder::TableFolder(const fs::path& path) : folder_(check_is_table(path), true) {}

std::multimap<std::string, std::string> TableFolder::folders() const {
  std::multimap<std::string, std::string> folders;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(points(), error)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(error)) folders.emplace(id_of_folder(name), name);
  }
  return folders;
}

void TableFolder::write(const std::string& name, const std::string& text) const {
  std::ifstream file(folder_.file(name), std::ios::binary);
  const std::string before{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || before != text) folder_.write_text(name, text);
}

}  // namespace sparsepush
