#include "host/config/config.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "data/table.h"
#include "host/config/config_checks.h"
#include "host/config/config_document.h"
#include "host/config/config_fields.h"
#include "host/config/config_toml.h"
#include "host/config/unused_keys.h"
#include "host/recipe/methods.h"
#include "host/topologies/file.h"
#include "host/topologies/topologies.h"

namespace sparsepush {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestConfig = 1 << 20;  // bytes; a longer one is some other file

// Resolves a path of the configuration: beside the configuration first, then in the current folder.
std::string find_file(const std::string& path, const std::string& key, const Origins& origins) {
  const fs::path beside = fs::path(origins.path()).parent_path() / path;
  std::error_code error;
  for (const fs::path& candidate : {beside, fs::path(path)}) {
    if (!fs::exists(candidate, error)) continue;
    if (fs::is_directory(candidate, error))
      throw InputError("{}: {}: expected a file, got the folder {}", origins.of(key), key,
                       in_quotes(candidate.string()));
    if (!fs::is_regular_file(candidate, error))  // a pipe would be waited for, and read only once
      throw InputError("{}: {}: expected a regular file, got {}", origins.of(key), key, in_quotes(candidate.string()));
    return candidate.string();
  }
  const bool two_places = beside != fs::path(path);
  throw InputError("{}: {}: no such file: {}{}", origins.of(key), key, in_quotes(path),
                   two_places ? fmt::format(", neither beside the configuration nor in the current folder") : "");
}

void find_files(Config& config, const Origins& origins) {
  for (const Field& field : config_fields()) {
    if (!field.is_file) continue;
    std::string& path = *std::get<std::string*>(field.member(config));
    if (!path.empty()) path = find_file(path, field.name(), origins);
  }
}

void find_data_folder(Config& config, const Origins& origins) {
  if (why_unused(*find_field("data", "path"), config)) return;
  std::string& path = config.data.path;
  if (path.empty()) path = "data/" + config.data.name;
  const fs::path beside = fs::path(origins.path()).parent_path() / path;
  std::error_code error;
  if (fs::exists(beside, error)) path = beside.string();
}

void resolve_averaging_rate(Config& config, const Origins& origins) {
  const std::optional<double> rate = default_averaging_rate(recipe_of(config), config.algorithm);
  if (!rate)
    throw InputError("{}: algorithm.averaging_rate: has to be set with algorithm.compressor = {}",
                     origins.of("algorithm.compressor"), in_quotes(config.algorithm.compressor));
  config.algorithm.averaging_rate = *rate;
}

void resolve_compressor(AlgorithmConfig& algorithm, const Origins& origins) {
  if (origins.is_set("algorithm.compressor")) return;
  algorithm.compressor = row_named(methods(), "algorithm.name", algorithm.name).compressor;
}

void resolve_file_weights(TopologyConfig& topology, const Origins& origins, UnusedKeys& unused) {
  if (!has_key(topology_kind(topology), "file") || topology.file.empty()) return;
  if (!topology_file_has_weights(topology.file)) return;
  const std::string key = "topology.weights";
  if (origins.is_override(key))
    throw InputError("{}: {}: not used with {}, which has weights of its own", origins.of(key), key,
                     in_quotes(topology.file));
  if (origins.is_set(key)) unused.add(key, in_quotes(topology.file) + " has its own");
  topology.weights.clear();
}

}  // namespace

std::string read_config_text(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) throw InputError("{}: expected a TOML file, got a folder", path);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError("{}: cannot be opened: {}", path, std::strerror(errno));
  std::string text(kLargestConfig + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) throw InputError("{}: cannot be read: {}", path, std::strerror(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kLargestConfig)
    throw InputError("{}: expected a TOML file of at most {} bytes", path, kLargestConfig);
  if (text.find('\0') != std::string::npos) throw InputError("{}: expected a TOML file, got a binary file", path);
  return text;
}

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  return parse_config(read_config_text(path), overrides, path);
}

Config parse_config(const std::string& text, const std::vector<std::string>& overrides, const std::string& path) {
  Config config;
  Origins origins(path);
  apply_toml(text, config, origins);
  for (const std::string& assignment : overrides) apply_override(assignment, config, origins);
  return resolve_config(std::move(config), origins);
}

Config resolve_config(Config config, Origins& origins) {
  resolve_compressor(config.algorithm, origins);  // decides which keys of [algorithm] count
  UnusedKeys unused = leave_out_unused(config, origins);
  resolve_compressor(config.algorithm, origins);  // again where it was left out: dense methods have none
  if (!origins.is_set("algorithm.averaging_rate")) resolve_averaging_rate(config, origins);
  if (const TopologyKind& kind = topology_kind(config.topology);
      has_key(kind, "degree") && !origins.is_set("topology.degree"))
    config.topology.degree = kind.default_degree;
  check_config(config, origins);
  find_files(config, origins);
  find_data_folder(config, origins);
  resolve_file_weights(config.topology, origins, unused);
  config.warnings = unused.warnings(origins.path());
  return config;
}

}  // namespace sparsepush
