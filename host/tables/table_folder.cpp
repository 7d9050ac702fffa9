#include "host/tables/table_folder.h"

#include <fcntl.h>

#include <fstream>
#include <system_error>

#include "data/files/input_error.h"
#include "data/files/unsynced_file.h"
#include "data/files/whole_file.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

/// Checks that the folder is new, empty or a table's. points.csv is written first: a table that was killed meanwhile
/// leaves the beginning of it. Throws InputError.
const fs::path& check_is_table(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error) || is_table_folder(path)) return path;
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error))
    if (entry.path().filename() != ".lock" && entry.path().filename() != std::string(kPointsFile) + ".tmp")
      throw InputError("{} is not empty and holds no table: pass another --out", path.string());
  return path;
}

}  // namespace

bool is_table_folder(const fs::path& path) {
  std::error_code error;
  if (fs::is_regular_file(path / "table.toml", error) && fs::is_directory(path / "points", error)) return true;
  if (!fs::is_regular_file(path / kPointsFile, error)) return false;
  std::ifstream file(path / kPointsFile, std::ios::binary);
  std::string header;
  return std::getline(file, header) && header.starts_with("name,id,launch,status,");
}

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

std::string TableFolder::read(const std::string& name) const { return text_of(folder_.file(name)); }

void TableFolder::write(const std::string& name, const std::string& text) const {
  if (!fs::exists(folder_.file(name)) || read(name) != text) folder_.write_text(name, text);
}

void TableFolder::write_unsynced(const std::string& name, const std::string& text) const {
  replace_unsynced(folder_.file(name), text);
}

void TableFolder::sync(const std::string& name) const { OpenFile(folder_.file(name), O_RDONLY).sync(); }

}  // namespace sparsepush
