#include "data/files/gzip.h"

#include <zlib.h>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

constexpr int kGzip = 16 + MAX_WBITS;  // zlib's word for: a gzip header, and any window

/// A stream that frees its memory.
struct Inflation {
  z_stream stream{};
  explicit Inflation(const std::string& path) {
    if (inflateInit2(&stream, kGzip) != Z_OK) throw InputError("{}: zlib cannot begin: out of memory", path);
  }
  ~Inflation() { inflateEnd(&stream); }
  Inflation(const Inflation&) = delete;
};

}  // namespace

std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> packed, std::int64_t bytes, const std::string& path) {
  constexpr std::int64_t kMost = std::int64_t{1} << 31;  // zlib counts in 32 bits
  if (std::ssize(packed) >= kMost || bytes >= kMost) throw InputError("{}: too large a gzip file", path);
  std::vector<std::uint8_t> unpacked(bytes + 1);  // one more, which stays free if there are no more bytes
  Inflation inflation(path);
  z_stream& stream = inflation.stream;
  stream.next_in = const_cast<std::uint8_t*>(packed.data());  // zlib's own interface for input that it only reads
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = unpacked.data();
  stream.avail_out = static_cast<uInt>(unpacked.size());
  const int end = inflate(&stream, Z_FINISH);
  const auto found = static_cast<std::int64_t>(stream.total_out);
  if (end == Z_STREAM_END && found < bytes)
    throw InputError("{}: expected {} bytes when unpacked, got {}", path, bytes, found);
  if (end != Z_STREAM_END || found > bytes || stream.avail_in > 0)
    throw InputError("{}: is damaged: gzip cannot unpack it to {} bytes", path, bytes);
  unpacked.resize(bytes);
  return unpacked;
}

}  // namespace sparsepush
