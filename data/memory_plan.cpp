#include "data/memory_plan.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>

#include "data/files/input_error.h"
#include "data/files/whole_file.h"
#include "kernels/backend/control_groups.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// Reads the number that `text` begins with, after blanks; nullopt for "max", what does not fit, and the text of a file
/// that cannot be read: kernels and containers differ in what they show.
std::optional<std::int64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

/// Reads the number after `key` in text of one "key number" a line.
std::optional<std::int64_t> number_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    if (text.starts_with(key)) return leading_number(text.substr(key.size()));
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  return std::nullopt;
}

/// The files in which a version of the control group interface shows its numbers.
struct MemoryFiles {
  std::string limit, usage, reclaimable;
};

/// Returns what the group may still take. The page cache that it can drop at any time does not count as used.
std::int64_t left_in_group(const ControlGroup& group) {
  const MemoryFiles files = group.version == 2
                                ? MemoryFiles{"memory.max", "memory.current", "inactive_file "}
                                : MemoryFiles{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};
  const auto limit = leading_number(text_of(group.folder / files.limit));
  if (!limit) return kUnlimited;
  const std::int64_t usage = leading_number(text_of(group.folder / files.usage)).value_or(0);
  const std::int64_t cache = number_of(text_of(group.folder / "memory.stat"), files.reclaimable).value_or(0);
  return std::max<std::int64_t>(*limit - std::max<std::int64_t>(usage - cache, 0), 0);
}

/// Returns what the process's groups leave it: each group limits those inside it.
std::int64_t left_in_control_groups(const fs::path& root) {
  std::int64_t left = kUnlimited;
  for (const ControlGroup& group : control_groups(root / "proc/self/cgroup", root / "sys/fs/cgroup", "memory"))
    left = std::min(left, left_in_group(group));
  return left;
}

std::int64_t address_space_limit() {
  rlimit limit{};
  const bool limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur < static_cast<rlim_t>(kUnlimited);
  return limited ? static_cast<std::int64_t>(limit.rlim_cur) : kUnlimited;
}

}  // namespace

std::int64_t MemoryPlan::total() const {
  std::int64_t sum = 0;
  for (const PlannedArray& array : arrays) {
    if (__builtin_add_overflow(sum, array.bytes, &sum)) return std::numeric_limits<std::int64_t>::max();
  }
  return sum;
}

MemoryPlan MemoryPlan::part(bool on_backend) const {
  MemoryPlan part;
  std::ranges::copy_if(arrays, std::back_inserter(part.arrays),
                       [=](const PlannedArray& array) { return array.on_backend == on_backend; });
  return part;
}

std::int64_t available_memory_below(const fs::path& root, std::int64_t address_space) {
  std::int64_t left = left_in_control_groups(root);
  if (const auto kilobytes = number_of(text_of(root / "proc/meminfo"), "MemAvailable:")) {
    left = std::min(left, *kilobytes * 1024);
  }
  if (address_space < kUnlimited) {
    const std::int64_t pages = leading_number(text_of(root / "proc/self/statm")).value_or(0);
    left = std::min(left, std::max<std::int64_t>(address_space - pages * sysconf(_SC_PAGESIZE), 0));
  }
  return left;
}

std::int64_t available_memory_of_all() { return available_memory_below("/", kUnlimited); }

std::int64_t available_memory() { return available_memory_below("/", address_space_limit()); }

std::int64_t address_space_of_threads(int threads) {
  constexpr std::int64_t kEach = 200 << 20;  // 128 MiB for OpenBLAS, 64 for malloc, 8 for the stack
  return address_space_limit() < kUnlimited ? threads * kEach : 0;
}

void check_memory_fits(const MemoryPlan& plan, std::int64_t available, const std::string& memory) {
  const std::int64_t total = plan.total();
  if (total <= available) return;
  std::vector<PlannedArray> arrays = plan.arrays;
  std::ranges::stable_sort(arrays, std::greater{}, &PlannedArray::bytes);
  std::string list;
  for (const PlannedArray& array : arrays) {
    list += fmt::format("{}{} {} {}", list.empty() ? "" : ", ", array.name, array.shape,
                        format_bytes(static_cast<double>(array.bytes)));
  }
  throw InputError("the run needs {} of {}, {} are available: {}", format_bytes(static_cast<double>(total)), memory,
                   format_bytes(static_cast<double>(available)), list);
}

std::string describe_memory(const MemoryPlan& plan) {
  std::size_t name_width = std::string_view("total").size(), shape_width = 0;
  for (const PlannedArray& array : plan.arrays) {
    name_width = std::max(name_width, array.name.size());
    shape_width = std::max(shape_width, array.shape.size());
  }
  std::string table;
  const auto add_line = [&](std::string_view name, std::string_view shape, std::int64_t bytes) {
    table += fmt::format("{:<{}}  {:<{}}  {:>9}\n", name, name_width, shape, shape_width,
                         format_bytes(static_cast<double>(bytes)));
  };
  for (const PlannedArray& array : plan.arrays) add_line(array.name, array.shape, array.bytes);
  add_line("total", "", plan.total());
  return table;
}

std::string format_bytes(double bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{:.0f} B", bytes);
  std::size_t unit = 0;
  // 999.95 would be rounded to 1000.0 of its unit.
  while (bytes >= 999.95 && unit + 1 < std::size(kUnits)) {
    bytes /= 1000;
    ++unit;
  }
  return fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

}  // namespace sparsepush
