// SHA-256 digests (FIPS 180-4).
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace sparsepush {

/// Computes the digest, as 64 hex digits.
std::string sha256(std::span<const std::uint8_t> bytes);

}  // namespace sparsepush
