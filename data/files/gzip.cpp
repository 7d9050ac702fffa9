#include "data/files/gzip.h"

#include <algorithm>
#include <array>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

constexpr int kLongestCode = 15;     // bits
constexpr int kEndOfBlock = 256;     // symbols above it are lengths of repeats
constexpr std::size_t kTrailer = 8;  // checksum and size
constexpr std::uint8_t kText = 1, kHasChecksum = 2, kHasExtra = 4, kHasName = 8, kHasComment = 16;

/// What a damaged stream ends with.
struct Damaged {};

/// A canonical Huffman code: how many codes there are of each length, and their symbols in order.
struct Code {
  std::array<std::uint16_t, kLongestCode + 1> count{};
  std::vector<std::uint16_t> symbol;

  explicit Code(std::span<const std::uint8_t> lengths) {
    for (const std::uint8_t length : lengths) ++count[length];
    count[0] = 0;
    int left = 1;
    for (int length = 1; length <= kLongestCode; ++length) {
      left = 2 * left - count[length];
      if (left < 0) throw Damaged();  // more codes than there can be
    }
    for (int length = 1; length <= kLongestCode; ++length)
      for (std::size_t s = 0; s < lengths.size(); ++s)
        if (lengths[s] == length) symbol.push_back(static_cast<std::uint16_t>(s));
  }
};

class Inflater {
 public:
  Inflater(std::span<const std::uint8_t> in, std::size_t most) : in_(in), most_(most) { out_.reserve(most); }

  std::vector<std::uint8_t> run() {
    for (bool last = false; !last;) {
      last = bits(1) == 1;
      const int type = bits(2);
      if (type == 0)
        copy_stored();
      else if (type == 1)
        unpack_fixed();
      else if (type == 2)
        unpack_dynamic();
      else
        throw Damaged();
    }
    return std::move(out_);
  }
  /// Bytes that were read.
  std::size_t position() const { return at_; }

 private:
  int bits(int count) {
    while (held_ < count) {
      if (at_ == in_.size()) throw Damaged();
      buffer_ |= std::uint32_t{in_[at_++]} << held_;
      held_ += 8;
    }
    const auto value = static_cast<int>(buffer_ & ((1u << count) - 1));
    buffer_ >>= count;
    held_ -= count;
    return value;
  }

  int decode(const Code& code) {
    int word = 0, first = 0, index = 0;
    for (int length = 1; length <= kLongestCode; ++length) {
      word |= bits(1);
      const int count = code.count[length];
      if (word - count < first) return code.symbol[index + (word - first)];
      index += count;
      first = 2 * (first + count);
      word *= 2;
    }
    throw Damaged();
  }

  void put(std::uint8_t byte) {
    if (out_.size() == most_) throw Damaged();
    out_.push_back(byte);
  }

  void copy_stored() {
    buffer_ = 0;
    held_ = 0;
    if (in_.size() - at_ < 4) throw Damaged();
    const std::size_t size = in_[at_] | in_[at_ + 1] << 8, check = in_[at_ + 2] | in_[at_ + 3] << 8;
    at_ += 4;
    if (size != (~check & 0xffff) || in_.size() - at_ < size) throw Damaged();
    for (std::size_t i = 0; i < size; ++i) put(in_[at_++]);
  }

  void unpack_fixed() {
    std::array<std::uint8_t, 288> lengths{};
    for (int s = 0; s < 288; ++s) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    std::array<std::uint8_t, 30> distances{};
    distances.fill(5);
    unpack(Code(lengths), Code(distances));
  }

  void unpack_dynamic() {
    constexpr std::array<int, 19> kOrder = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const int literals = bits(5) + 257, distances = bits(5) + 1, lengths_of_lengths = bits(4) + 4;
    if (literals > 286 || distances > 30) throw Damaged();
    std::array<std::uint8_t, 19> own{};
    for (int i = 0; i < lengths_of_lengths; ++i) own[kOrder[i]] = static_cast<std::uint8_t>(bits(3));
    const Code code(own);
    std::vector<std::uint8_t> lengths;
    while (std::ssize(lengths) < literals + distances) {
      const int symbol = decode(code);
      if (symbol < 16) {
        lengths.push_back(static_cast<std::uint8_t>(symbol));
        continue;
      }
      if (symbol == 16 && lengths.empty()) throw Damaged();
      const std::uint8_t value = symbol == 16 ? lengths.back() : 0;
      const int repeats = symbol == 16 ? 3 + bits(2) : symbol == 17 ? 3 + bits(3) : 11 + bits(7);
      lengths.insert(lengths.end(), repeats, value);
    }
    if (std::ssize(lengths) != literals + distances || lengths[kEndOfBlock] == 0) throw Damaged();
    unpack(Code(std::span(lengths).first(literals)), Code(std::span(lengths).subspan(literals)));
  }

  void unpack(const Code& literal, const Code& distance) {
    constexpr std::array<int, 29> kLength = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                             31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    constexpr std::array<int, 29> kLengthBits = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    constexpr std::array<int, 30> kDistance = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                               33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                               1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    for (int symbol = decode(literal); symbol != kEndOfBlock; symbol = decode(literal)) {
      if (symbol < kEndOfBlock) {
        put(static_cast<std::uint8_t>(symbol));
        continue;
      }
      symbol -= kEndOfBlock + 1;
      if (symbol >= std::ssize(kLength)) throw Damaged();
      const int length = kLength[symbol] + bits(kLengthBits[symbol]), d = decode(distance);
      if (d >= std::ssize(kDistance)) throw Damaged();
      const std::size_t back = kDistance[d] + bits(d < 2 ? 0 : d / 2 - 1);
      if (back > out_.size()) throw Damaged();
      for (int i = 0; i < length; ++i) put(out_[out_.size() - back]);
    }
  }

  std::span<const std::uint8_t> in_;
  std::size_t most_, at_ = 0;
  std::uint32_t buffer_ = 0;
  int held_ = 0;  ///< bits in the buffer
  std::vector<std::uint8_t> out_;
};

std::size_t header_size(std::span<const std::uint8_t> in) {
  if (in.size() < 10 || in[0] != 0x1f || in[1] != 0x8b || in[2] != 8) throw Damaged();
  const std::uint8_t flags = in[3];
  std::size_t at = 10;
  const auto need = [&](std::size_t count) {
    if (in.size() - at < count) throw Damaged();
  };
  if (flags & ~(kText | kHasChecksum | kHasExtra | kHasName | kHasComment)) throw Damaged();
  if (flags & kHasExtra) {
    need(2);
    const std::size_t extra = in[at] | in[at + 1] << 8;
    at += 2;
    need(extra);
    at += extra;
  }
  for (const std::uint8_t text : {kHasName, kHasComment}) {
    if (!(flags & text)) continue;
    const auto end = std::find(in.begin() + static_cast<std::ptrdiff_t>(at), in.end(), 0);
    if (end == in.end()) throw Damaged();
    at = end - in.begin() + 1;
  }
  if (flags & kHasChecksum) {
    need(2);
    at += 2;
  }
  return at;
}

std::uint32_t checksum(std::span<const std::uint8_t> bytes) {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
    table[i] = c;
  }
  std::uint32_t crc = 0xffffffffu;
  for (const std::uint8_t byte : bytes) crc = table[(crc ^ byte) & 0xff] ^ crc >> 8;
  return ~crc;
}

std::uint32_t number_at(std::span<const std::uint8_t> in, std::size_t at) {
  return in[at] | std::uint32_t{in[at + 1]} << 8 | std::uint32_t{in[at + 2]} << 16 | std::uint32_t{in[at + 3]} << 24;
}

}  // namespace

std::vector<std::uint8_t> gunzip(std::span<const std::uint8_t> packed, std::int64_t bytes,
                                 const std::string& path) try {
  const std::size_t begin = header_size(packed);
  if (packed.size() - begin < kTrailer) throw Damaged();
  const std::uint32_t size = number_at(packed, packed.size() - 4);
  if (size != static_cast<std::uint32_t>(bytes))
    throw InputError("{}: expected {} bytes when unpacked, got {}", path, bytes, size);
  Inflater inflater(packed.subspan(begin, packed.size() - begin - kTrailer), static_cast<std::size_t>(bytes));
  std::vector<std::uint8_t> unpacked = inflater.run();
  const bool is_whole = begin + inflater.position() + kTrailer == packed.size();
  if (!is_whole || std::ssize(unpacked) != bytes || checksum(unpacked) != number_at(packed, packed.size() - kTrailer))
    throw Damaged();
  return unpacked;
} catch (const Damaged&) {
  throw InputError("{}: is damaged: gzip cannot unpack it to {} bytes", path, bytes);
}

}  // namespace sparsepush
