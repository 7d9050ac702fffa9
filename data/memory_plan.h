// What a run will allocate, known before it allocates anything.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
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
  std::int64_t total() const;  ///< bytes of all arrays, at most the largest 64-bit number
  /// Returns the arrays in backend memory, or the others.
  MemoryPlan part(bool on_backend) const;
};

/// Returns the bytes that this process may still allocate: the smallest of the machine's available memory, what is left
/// of the limits of its control groups, and what is left of its limit of address space.
std::int64_t available_memory();

/// Returns the bytes that all processes of this kind on the machine may still allocate: the same without the limit of
/// address space, which each has for itself.
std::int64_t available_memory_of_all();

/// Returns available_memory() from the files of /proc and /sys below `root`, with `address_space` bytes as the
/// process's limit of address space.
std::int64_t available_memory_below(const std::filesystem::path& root, std::int64_t address_space);

/// Names in a plan what threads reserve.
inline constexpr std::string_view kReservedAddressSpace = "reserved address space";

/// Counts the bytes that threads reserve in a limited address space without using them; 0 where it is not limited.
std::int64_t address_space_of_threads(int threads);

/// Throws InputError that names the arrays and their sizes, largest first, if the plan exceeds `available` bytes of
/// `memory`.
void check_memory_fits(const MemoryPlan& plan, std::int64_t available, const std::string& memory = "memory");

/// Returns a table with one array a line, and the total.
std::string describe_memory(const MemoryPlan& plan);

/// Returns bytes as text, in powers of 1000: 1234567 as "1.2 MB".
std::string format_bytes(double bytes);

}  // namespace sparsepush
