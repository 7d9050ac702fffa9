// The JSON header of a safetensors file, checked against the size of the file it came from.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/files/safetensors.h"

namespace sparsepush {

/// One tensor and the range of its bytes in the file's data part.
struct HeaderTensor {
  TensorInfo info;
  std::int64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::vector<HeaderTensor> tensors;  ///< by increasing begin; together they cover the data part exactly
  std::map<std::string, std::string> metadata;
};

/// Returns the bytes of one element, 0 if `dtype` is none of F32, F64, I64, U8.
std::int64_t dtype_bytes(const std::string& dtype);

/// Multiplies the dimensions; nullopt if one is negative or the product exceeds `limit`.
std::optional<std::int64_t> element_count(const std::vector<std::int64_t>& shape, std::int64_t limit);

/// Parses and checks the header; `data_bytes` is the size of the data part that follows it. Throws InputError beginning
/// with `path`.
SafetensorsHeader parse_safetensors_header(std::string_view json, std::int64_t data_bytes, const std::string& path);

}  // namespace sparsepush
