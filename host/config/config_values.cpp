#include "host/config/config_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "models/task.h"

namespace sparsepush {
namespace {

/// 64-bit FNV-1a ([FNV], draft-eastlake-fnv).
class Fnv1a {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3ull;
  }
  std::string hex() const { return fmt::format("{:016x}", hash_); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ull;
};

std::string content_hash(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError("{}: cannot be opened: {}", path, std::strerror(errno));
  Fnv1a hash;
  std::array<char, 1 << 16> block;
  while (file.read(block.data(), block.size()) || file.gcount() > 0)
    hash.add({block.data(), static_cast<std::size_t>(file.gcount())});
  if (file.bad()) throw InputError("{}: cannot be read: {}", path, std::strerror(errno));
  return hash.hex();
}

/// Hashes the keys that change bits, are used and are among those that `counts` accepts; the run's length where
/// learning rates depend on it; and a task's identity.
template <class Counts>
std::string hash_of(const Config& config, const Counts& counts, std::int64_t sgd_steps, const std::string& identity) {
  Config copy = config;
  Fnv1a hash;
  for (const Field& field : config_fields()) {
    if (!counts_for_hash(field, config) || !counts(field)) continue;
    hash.add(fmt::format("{}={}\n", field.name(), hashed_text(field, field.member(copy))));
  }
  if (rates_depend_on_length(config.optimizer)) hash.add(fmt::format("sgd_steps={}\n", sgd_steps));
  if (!identity.empty()) hash.add(fmt::format("task={}\n", identity));
  return hash.hex();
}

bool is_empty_word(const Member& member) {
  const auto* word = std::get_if<std::string*>(&member);
  return word && (*word)->empty();
}

}  // namespace

std::string number_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".en") == std::string::npos) text += ".0";  // the n is that of inf and nan
  return text;
}

bool counts_for_hash(const Field& field, const Config& config) {
  if (!field.changes_bits || why_unused(field, config)) return false;
  if (field.counts_in && !field.counts_in(config)) return false;
  if (!field.came_later) return true;
  Config copy = config, defaults;
  return value_text(field.member(copy)) != value_text(field.member(defaults));
}

std::string hashed_text(const Field& field, const Member& member) {
  const auto* path = field.is_file ? std::get<std::string*>(member) : nullptr;
  return path && !path->empty() ? content_hash(*path) : value_text(member);
}

std::string value_text(const Member& member) {
  struct Text {
    std::string operator()(const bool* v) const { return *v ? "true" : "false"; }
    std::string operator()(const int* v) const { return fmt::format("{}", *v); }
    std::string operator()(const std::int64_t* v) const { return fmt::format("{}", *v); }
    std::string operator()(const std::uint64_t* v) const { return fmt::format("{}", *v); }
    std::string operator()(const double* v) const { return number_text(*v); }
    std::string operator()(const std::string* v) const { return in_quotes(*v); }
    std::string operator()(const std::vector<std::int64_t>* v) const {
      return fmt::format("[{}]", fmt::join(*v, ", "));
    }
    std::string operator()(const std::vector<double>* v) const {
      std::vector<std::string> numbers;
      for (const double number : *v) numbers.push_back(number_text(number));
      return fmt::format("[{}]", fmt::join(numbers, ", "));
    }
    std::string operator()(const std::optional<std::int64_t>* v) const {
      return *v ? fmt::format("{}", **v) : "\"auto\"";
    }
    std::string operator()(const std::optional<double>* v) const { return *v ? number_text(**v) : "\"auto\""; }
  };
  return std::visit(Text{}, member);
}

std::string to_toml(const Config& config) {
  Config copy = config;
  std::string text;
  std::string_view section;
  for (const Field& field : config_fields()) {
    const Member member = field.member(copy);
    if (why_unused(field, config) || is_empty_word(member)) continue;
    if (field.section != section) text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", field.section);
    section = field.section;
    text += fmt::format("{} = {}\n", field.key, value_text(member));
  }
  return text;
}

std::string config_hash(const Config& config) {
  return hash_of(
      config, [](const Field&) { return true; }, sgd_steps(config.run, 0), "");
}

std::string config_hash(const Config& config, const Task& task, int replica) {
  const std::vector<std::string_view> keys = task.keys(replica);
  const auto counts = [&](const Field& field) {
    if (field.section != "data" && field.section != "model") return true;
    return std::ranges::find(keys, field.name()) != keys.end();
  };
  return hash_of(config, counts, sgd_steps(config.run, task.steps_per_epoch()), task.identity());
}

std::string results_hash(const Config& config) {
  Config copy = config;
  Fnv1a hash;
  hash.add(config_hash(config) + "\n");
  for (const Field& field : config_fields()) {
    const std::string name = field.name();
    const bool is_length = name == (config.run.steps > 0 ? "run.steps" : "run.epochs") ||
                           (name == "algorithm.final_rounds" && !why_unused(field, config));
    if (is_length) hash.add(fmt::format("{}={}\n", name, value_text(field.member(copy))));
  }
  return hash.hex();
}

}  // namespace sparsepush
