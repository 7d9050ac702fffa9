// The keys of each section, and what the files that list them share.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "host/config/config_fields.h"

namespace sparsepush {

std::vector<Field> run_fields();
std::vector<Field> data_fields();
std::vector<Field> model_fields();
std::vector<Field> topology_fields();
std::vector<Field> algorithm_fields();
std::vector<Field> optimizer_fields();
std::vector<Field> evaluate_fields();

inline constexpr std::int64_t kMany = 1'000'000;             // nodes and widths: far above what fits
inline constexpr std::int64_t kForever = 1'000'000'000'000;  // steps: products with nodes stay below 2^63
inline constexpr double kHuge = 1e6;                         // keeps products of settings finite in fp32

/// Returns what the key `key` of the section `section` is read into.
template <auto section, auto key>
Member at(Config& config) {
  return &(config.*section.*key);
}

/// Lists the data sets for which `key` counts, on their own or because of what learns them.
Choices sets_with(std::string_view key);

/// Makes the rule that a key counts only where `decider` has one of `values`.
inline OnlyFor when(std::string_view decider, Choices values) { return {decider, std::move(values)}; }

/// Makes the rule that a key must have its default where `decider` has none of `values`.
inline OnlyFor default_unless(std::string_view decider, Choices values) { return {decider, std::move(values), true}; }

}  // namespace sparsepush
