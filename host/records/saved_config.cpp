#include "host/records/saved_config.h"

#include <fmt/format.h>

#include <filesystem>

#include "data/files/input_error.h"
#include "data/files/same_content.h"
#include "host/config/config_fields.h"
#include "host/config/config_values.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

constexpr const char* kName = "config.toml";

/// Copies `from` to `to` unless it has the same content already: a run that goes on need not have room for another
/// copy.
void keep_copy(const fs::path& from, const fs::path& to) {
  if (fs::exists(to) && have_same_content(from, to)) return;
  const fs::path temporary = to.string() + ".tmp";
  fs::copy_file(from, temporary, fs::copy_options::overwrite_existing);
  fs::rename(temporary, to);
}

/// Names a copy by its key, so that no two files of a folder get the same name.
std::string name_of_copy(const Field& field, const fs::path& path) {
  return fmt::format("{}_{}{}", field.section, field.key, path.extension().string());
}

/// Returns whether a key can be why checkpoints do not fit: the run's length is where learning rates fall towards its
/// end.
bool counts(const Field& field, const Config& config) {
  const bool is_length = field.name() == "run.steps" || field.name() == "run.epochs";
  return field.changes_bits || (is_length && rates_depend_on_length(config.optimizer));
}

}  // namespace

void save_config(const RunFolder& folder, const Config& config) {
  Config saved = config;
  for (const Field& field : config_fields()) {
    if (!field.is_file && !field.is_folder) continue;
    std::string& path = *std::get<std::string*>(field.member(saved));
    if (path.empty()) continue;
    if (field.is_folder) {
      path = fs::absolute(path).lexically_normal().string();
      continue;
    }
    const std::string name = name_of_copy(field, path);
    keep_copy(path, folder.file(name));
    path = name;
  }
  folder.write_text(kName, to_toml(saved));
}

Config load_saved_config(const std::string& folder, const std::vector<std::string>& overrides) {
  const fs::path path = fs::path(folder) / kName;
  std::error_code error;
  if (!fs::exists(path, error)) throw InputError("{}: no such file; expected the folder of a run", path.string());
  return load_config(path.string(), overrides);
}

std::string differences_from_saved(const std::string& folder, const Config& config) try {
  Config mine = config, saved = load_saved_config(folder, {});
  const std::string path = (fs::path(folder) / kName).string();
  std::string text;
  for (const Field& field : config_fields()) {
    // A key that counts on one side only follows from another, which differs as well.
    if (!counts(field, mine) || why_unused(field, mine) || why_unused(field, saved)) continue;
    const Member here = field.member(mine), there = field.member(saved);
    if (hashed_text(field, here) == hashed_text(field, there)) continue;
    text += text.empty() ? "" : "; ";
    text += field.is_file
                ? fmt::format("the file of {} has another content than in {}", field.name(), path)
                : fmt::format("{} is {}, and {} in {}", field.name(), value_text(here), value_text(there), path);
  }
  return text;
} catch (const InputError&) {  // the file is of another version, or not ours: the hashes have to do
  return "";
}

}  // namespace sparsepush
