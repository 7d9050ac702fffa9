#include "host/listing/run_line.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "data/files/input_error.h"
#include "data/files/safetensors.h"
#include "host/config/config_document.h"
#include "host/listing/last_row.h"
#include "host/records/run_times.h"
#include "host/tables/run_metrics.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

/// Reads the last `longest` bytes of the file, or all of it if it is shorter.
std::string read_end(const fs::path& path, std::int64_t longest) {
  if (!is_file(path)) throw InputError("{}: expected a file", path.string());
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw InputError("{}: cannot be read", path.string());
  const std::int64_t size = file.tellg();
  file.seekg(std::max<std::int64_t>(size - longest, 0));
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Returns whether a process that runs has the folder's lock.
bool is_in_use(const fs::path& folder) {
  const std::string path = folder / ".lock";
  if (!is_file(path)) return false;
  try {
    const OpenFile lock(path, O_RDONLY);
    return flock(lock.descriptor(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  } catch (const std::runtime_error&) {  // not ours to read
    return false;
  }
}

bool has(const fs::path& folder, const char* name) {
  std::error_code error;
  return fs::exists(folder / name, error);
}

bool is_count(const std::optional<std::int64_t>& number) { return number && *number > 0 && *number <= 1'000'000; }

/// Reads config.toml; leaves the method empty where it is no configuration of ours.
void read_config(const fs::path& folder, RunLine& line) {
  const fs::path path = folder / "config.toml";
  if (!has(folder, "config.toml")) return;
  if (!is_file(path)) throw InputError("{}: expected a file", path.string());
  const toml::table document = parse_document(read_config_text(path.string()), Origins(path.string()));
  const auto word = [&](const char* section, const char* key) {
    return document[section][key].value<std::string>().value_or("");
  };
  line.keep = document["algorithm"]["keep"].value<double>();
  line.data = word("data", "name");
  line.partition = word("data", "partition");
  line.topology = word("topology", "name");
  line.nodes = document["run"]["nodes"].value<std::int64_t>();
  line.replicas = document["run"]["replicas"].value<std::int64_t>();
  if (is_count(line.nodes) && is_count(line.replicas)) line.method = word("algorithm", "name");
}

void read_metrics(const fs::path& folder, RunLine& line) {
  if (line.method.empty()) return;  // how many replicas there are is not known
  const LastRow last = read_last_row(folder, *line.replicas);
  if (const auto step = last.value("step")) line.step = static_cast<std::int64_t>(*step);
  line.accuracy_mean = last.value("accuracy_mean");
  line.accuracy_mean_model = last.value("accuracy_mean_model");
  line.test_loss = last.value("test_loss");
  line.bytes_wire = last.value("bytes_wire");
  if (const auto times = read_run_times(folder); !times.empty()) line.seconds = times.back().seconds;
}

/// Returns the time of the log's last line, such as "2026-11-29 05:42:38".
std::string last_time(const fs::path& folder) {
  constexpr std::int64_t kLongest = 8192;  // bytes of a line: warnings have a few hundred
  constexpr std::size_t kTime = 19;
  if (!is_file(folder / "log.txt")) return "";
  std::string log = read_end(folder / "log.txt", kLongest);
  log.erase(std::min(log.rfind('\n') + 1, log.size()));
  while (log.ends_with('\n')) log.pop_back();
  const std::string last = log.substr(log.rfind('\n') + 1);
  return last.size() > kTime && last[4] == '-' && last[13] == ':' ? last.substr(0, kTime) : "";
}

void read_end_of_run(const fs::path& folder, RunLine& line) {
  if (!has(folder, "summary.json")) return;
  constexpr std::int64_t kLongest = 1 << 26;  // bytes: 10,000 replicas take a tenth
  const auto summary = nlohmann::json::parse(read_end(folder / "summary.json", kLongest));
  line.version = summary.value("version", "");
  line.config_hash = summary.value("config_hash", "");
  const std::string status = summary.at("status");
  for (const char* known : {"finished", "diverged", "failed", "interrupted"})
    if (status == known) line.status = status;
  if (line.status.empty()) throw InputError("another status than those of runs");
  const std::int64_t end = summary.at("sgd_steps").get<std::int64_t>() + summary.at("final_rounds").get<std::int64_t>();
  if (status == "finished" && line.step != end) throw InputError("no rows of the end");
  line.finished = last_time(folder);
}

/// Reads the hash from the checkpoint of a run that has not ended.
void read_hash_of_checkpoint(const fs::path& folder, RunLine& line) {
  if (!line.config_hash.empty() || !is_file(folder / "checkpoint.safetensors")) return;
  const auto metadata = SafetensorsReader(folder / "checkpoint.safetensors").metadata();
  if (const auto hash = metadata.find("config_hash"); hash != metadata.end()) line.config_hash = hash->second;
}

/// Returns when a run has last written anything.
fs::file_time_type last_change(const fs::path& folder) {
  fs::file_time_type last = fs::file_time_type::min();
  for (const char* name : {"", "config.toml", "metrics.csv", "checkpoint.safetensors", "summary.json", "log.txt"}) {
    std::error_code error;
    const fs::file_time_type time = fs::last_write_time(folder / name, error);
    if (!error) last = std::max(last, time);
  }
  return last;
}

/// Reads what can be read; returns false where something is not as a run leaves it.
bool read_parts(const fs::path& folder, RunLine& line) {
  bool is_whole = true;
  for (const auto read : {read_metrics, read_end_of_run, read_hash_of_checkpoint}) {
    try {
      read(folder, line);
    } catch (const std::exception&) {  // others may still tell something
      is_whole = false;
    }
  }
  return is_whole;
}

std::string status_of_run(const fs::path& folder, RunLine& line) {
  bool is_whole = true;
  try {
    read_config(folder, line);
  } catch (const std::exception&) {
    is_whole = false;
  }
  const bool has_results = has(folder, "summary.json") || has(folder, "checkpoint.safetensors");
  if (is_whole && line.method.empty() && !has_results && !has(folder, ".lock")) return "foreign";
  is_whole = read_parts(folder, line) && is_whole && !(line.method.empty() && has_results);
  if (is_in_use(folder)) return "running";
  if (!is_whole) return "damaged";
  return line.status.empty() ? "failed" : line.status;  // without summary it was killed
}

}  // namespace

RunLine read_run_line(const FoundFolder& found) {
  RunLine line{.folder = found.path.string(), .changed = last_change(found.path)};
  if (found.kind == FolderKind::kForeign) line.status = "foreign";
  if (found.kind == FolderKind::kUnreadable) line.status = "unreadable";
  if (found.kind == FolderKind::kRun) line.status = status_of_run(found.path, line);
  if (line.status != "finished" && line.status != "diverged") line.finished.clear();
  return line;
}

}  // namespace sparsepush
