#include "host/compressors/wire_format.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "data/files/input_error.h"
#include "kernels/backend/check.h"
#include "kernels/messages/wire_size.h"

namespace sparsepush {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are copied to the message as they are");

enum class IndexEncoding : std::uint8_t { kGaps = 0, kBitmap = 1 };

std::int64_t bitmap_bytes(std::int64_t params) { return (params + 7) / 8; }

/// Where a message's numbers go.
class ByteWriter {
 public:
  explicit ByteWriter(std::size_t size) { bytes_.reserve(size); }
  template <class T>
  void put(const T& value) {
    const auto* begin = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), begin, begin + sizeof(T));
  }
  void put_leb128(std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) put(static_cast<std::uint8_t>(value | 0x80));
    put(static_cast<std::uint8_t>(value));
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads a message's numbers; throws InputError where they end too early.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t left() const { return bytes_.size(); }
  std::span<const std::byte> take(std::size_t count) {
    if (count > bytes_.size()) throw InputError("message: truncated: expected {} more bytes", count - bytes_.size());
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::uint32_t take_leb128() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const auto byte = take<std::uint8_t>();
      value |= std::uint64_t{byte & 0x7fu} << shift;
      if (byte >= 0x80) continue;
      if (byte == 0 && shift > 0) throw InputError("message: a gap has more LEB128 bytes than it needs");
      if (value > std::numeric_limits<std::uint32_t>::max()) break;
      return static_cast<std::uint32_t>(value);
    }
    throw InputError("message: a gap exceeds 32 bits");
  }

 private:
  std::span<const std::byte> bytes_;
};

/// Bytes of `index` as gaps.
std::int64_t gap_bytes(std::span<const std::int32_t> index) {
  std::int64_t bytes = 0, next = 0;
  for (const std::int32_t i : index) {
    bytes += leb128_bytes(static_cast<std::uint32_t>(i - next));
    next = std::int64_t{i} + 1;
  }
  return bytes;
}

IndexEncoding smaller_encoding(std::span<const std::int32_t> index, std::int64_t params) {
  return gap_bytes(index) <= bitmap_bytes(params) ? IndexEncoding::kGaps : IndexEncoding::kBitmap;
}

void put_bitmap(ByteWriter& out, std::span<const std::int32_t> index, std::int64_t params) {
  std::vector<std::uint8_t> bitmap(bitmap_bytes(params));
  for (const std::int32_t i : index) bitmap[i / 8] |= static_cast<std::uint8_t>(1u << (i % 8));
  for (const std::uint8_t byte : bitmap) out.put(byte);
}

std::vector<std::int32_t> take_gaps(ByteReader& in, std::uint32_t entries, std::int64_t params) {
  std::vector<std::int32_t> index;
  index.reserve(entries);
  std::int64_t next = 0;
  for (std::uint32_t entry = 0; entry < entries; ++entry) {
    const std::int64_t i = next + in.take_leb128();
    if (i >= params) throw InputError("message: index {} of entry {}; expected one below {}", i, entry, params);
    index.push_back(static_cast<std::int32_t>(i));
    next = i + 1;
  }
  return index;
}

std::vector<std::int32_t> take_bitmap(ByteReader& in, std::uint32_t entries, std::int64_t params) {
  const auto bitmap = in.take(bitmap_bytes(params));
  std::vector<std::int32_t> index;
  index.reserve(entries);
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(bitmap.size()) * 8; ++i) {
    if ((bitmap[i / 8] >> (i % 8) & std::byte{1}) == std::byte{0}) continue;
    if (i >= params) throw InputError("message: the bitmap has index {}; expected indices below {}", i, params);
    if (index.size() == entries) throw InputError("message: the bitmap has more than {} entries", entries);
    index.push_back(static_cast<std::int32_t>(i));
  }
  if (index.size() < entries)
    throw InputError("message: the bitmap has {} entries; expected {}", index.size(), entries);
  return index;
}

void check_message(const WireMessage& message, std::int64_t params) {
  CHECK(params >= 0 && params <= std::numeric_limits<std::int32_t>::max(), "params = ", params);
  CHECK(message.index.size() == message.value.size(), message.index.size(), " and ", message.value.size());
  std::int64_t next = 0;
  for (const std::int32_t i : message.index) {
    CHECK(i >= next && i < params, "index ", i, " after ", next - 1, ", params = ", params);
    next = std::int64_t{i} + 1;
  }
}

}  // namespace

std::vector<std::byte> encode_message(const WireMessage& message, std::int64_t params) {
  check_message(message, params);
  const IndexEncoding encoding = smaller_encoding(message.index, params);
  ByteWriter out(kWireHeaderBytes + std::min(gap_bytes(message.index), bitmap_bytes(params)) +
                 message.value.size() * sizeof(float));
  out.put(message.u);
  out.put(static_cast<std::uint32_t>(message.index.size()));
  out.put(encoding);
  if (encoding == IndexEncoding::kBitmap) {
    put_bitmap(out, message.index, params);
  } else {
    std::int64_t next = 0;
    for (const std::int32_t i : message.index) {
      out.put_leb128(static_cast<std::uint32_t>(i - next));
      next = std::int64_t{i} + 1;
    }
  }
  for (const float value : message.value) out.put(value);
  return out.take();
}

WireMessage decode_message(std::span<const std::byte> bytes, std::int64_t params) {
  CHECK(params >= 0 && params <= std::numeric_limits<std::int32_t>::max(), "params = ", params);
  ByteReader in(bytes);
  WireMessage message;
  message.u = in.take<double>();
  const auto entries = in.take<std::uint32_t>();
  const auto encoding = in.take<std::uint8_t>();
  if (encoding > 1) throw InputError("message: index encoding {}; expected 0 or 1", encoding);
  if (entries > params) throw InputError("message: {} entries; expected at most {}", entries, params);
  if (in.left() / sizeof(float) < entries) throw InputError("message: too short for {} entries", entries);
  const bool gaps = IndexEncoding{encoding} == IndexEncoding::kGaps;
  message.index = gaps ? take_gaps(in, entries, params) : take_bitmap(in, entries, params);
  if (IndexEncoding{encoding} != smaller_encoding(message.index, params)) {
    throw InputError("message: its indices are not in the smaller encoding");
  }
  const auto values = in.take(entries * sizeof(float));
  if (in.left() > 0) throw InputError("message: {} bytes after its end", in.left());
  message.value.resize(entries);
  if (entries > 0) std::memcpy(message.value.data(), values.data(), values.size());
  return message;
}

MessageBytes sparse_message_bytes(std::int64_t params, std::int64_t entries) {
  return {.authors = 6 * entries + 3,
          .coo32 = 8 * entries + 4,
          .wire = wire_size_bound(params, entries),
          .dense = 4 * params + 4};
}

}  // namespace sparsepush
