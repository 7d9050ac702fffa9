// Encoded messages, as bytes.
#pragma once
#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

namespace sparsepush {

using Bytes = std::vector<std::byte>;

static_assert(std::endian::native == std::endian::little, "numbers are copied as they are");

template <class T>
void put(Bytes& bytes, const T& value) {
  const auto* begin = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof(T));
}

template <class T>
T take(std::span<const std::byte>& bytes) {
  T value;
  std::memcpy(&value, bytes.first(sizeof(T)).data(), sizeof(T));
  bytes = bytes.subspan(sizeof(T));
  return value;
}

}  // namespace sparsepush
