// Files that gzip has packed (RFC 1951, RFC 1952).
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sparsepush {

/// Unpacks `packed`, one gzip member, which must hold `bytes` bytes; never takes room for more. Throws InputError that
/// begins with `path` if it is damaged or holds another number of bytes.
std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> packed, std::int64_t bytes, const std::string& path);

}  // namespace sparsepush
