// What a run will allocate, known before it allocates anything.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sparsepush {

struct PlannedArray {
  std::string name;   ///< such as "x"
  std::string shape;  ///< such as "[64, 269728] f32"
  std::int64_t bytes = 0;
  bool on_backend = true;  ///< else in host memory, which is the same on the Cpu
};

struct MemoryPlan {
  std::vector<PlannedArray> arrays;
  std::int64_t total() const;  ///< at most the largest 64-bit number
  /// The arrays in backend memory, or the others.
  MemoryPlan part(bool on_backend) const;
};

/// Bytes this process may still allocate: the smallest of the machine's available memory, the limits of its control
/// group and the process's address space limit, less what the control group uses already.
std::int64_t available_memory();

/// The same with the files of /proc and /sys below `root`, and `address_space` bytes as the process's limit.
std::int64_t available_memory_below(const std::filesystem::path& root, std::int64_t address_space);

/// Counts the bytes that threads reserve in a limited address space without using them; 0 where it is not limited.
std::int64_t address_space_of_threads(int threads);

/// Throws InputError that names the arrays and their sizes, largest first, if the plan exceeds `available` bytes of
/// `memory`.
void check_memory_fits(const MemoryPlan& plan, std::int64_t available, const std::string& memory = "memory");

/// A table, one array a line, and the total.
std::string describe_memory(const MemoryPlan& plan);

/// 1234567 as "1.2 MB" (powers of 1000).
std::string format_bytes(double bytes);

}  // namespace sparsepush
