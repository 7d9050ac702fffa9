#include "host/records/event_file.h"

#include <array>
#include <bit>
#include <string_view>

namespace sparsepush {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41, its bits reversed
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? kPolynomial : 0);
    table[byte] = crc;
  }
  return table;
}

std::uint32_t masked_crc(std::string_view bytes) {
  static constexpr auto kTable = crc_table();
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
  return std::rotr(~crc, 15) + 0xa282ead8u;
}

template <class Number>
std::string little_endian(Number number) {
  std::string bytes;
  for (std::size_t i = 0; i < sizeof number; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

/// A protobuf message, field by field.
class EventMessage {
 public:
  EventMessage& add(int field, std::int64_t number) {
    key(field, kVarint);
    return varint(static_cast<std::uint64_t>(number));
  }
  EventMessage& add(int field, bool flag) { return add(field, std::int64_t{flag}); }
  EventMessage& add(int field, double number) {
    key(field, kFixed64);
    bytes_ += little_endian(std::bit_cast<std::uint64_t>(number));
    return *this;
  }
  EventMessage& add(int field, float number) {
    key(field, kFixed32);
    bytes_ += little_endian(std::bit_cast<std::uint32_t>(number));
    return *this;
  }
  EventMessage& add(int field, std::string_view text) {
    key(field, kLengthDelimited);
    varint(text.size());
    bytes_ += text;
    return *this;
  }
  EventMessage& add(int field, const EventMessage& message) { return add(field, std::string_view(message.bytes_)); }

  std::string_view bytes() const { return bytes_; }

 private:
  enum WireType : std::uint64_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

  void key(int field, WireType type) { varint((static_cast<std::uint64_t>(field) << 3) | type); }
  EventMessage& varint(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) bytes_ += static_cast<char>(number | 0x80);
    bytes_ += static_cast<char>(number);
    return *this;
  }

  std::string bytes_;
};

std::string record(const EventMessage& event) {
  const std::string length = little_endian(std::uint64_t{event.bytes().size()});
  return length + little_endian(masked_crc(length)) + std::string(event.bytes()) +
         little_endian(masked_crc(event.bytes()));
}

EventMessage event_at(double wall_time, std::int64_t step) { return EventMessage().add(1, wall_time).add(2, step); }

/// Makes an event that only has what the plugin hparams reads: a tensor without elements, with metadata.
std::string hparams_record(double wall_time, std::string_view tag, const EventMessage& plugin_data) {
  const EventMessage no_elements = EventMessage()
                                       .add(1, std::int64_t{1})  // DT_FLOAT
                                       .add(2, EventMessage().add(2, EventMessage().add(1, std::int64_t{0})));
  const EventMessage metadata =
      EventMessage().add(1, EventMessage().add(1, std::string_view("hparams")).add(2, plugin_data));
  const EventMessage value = EventMessage().add(1, tag).add(8, no_elements).add(9, metadata);
  return record(event_at(wall_time, 0).add(5, EventMessage().add(1, value)));
}

/// Makes a google.protobuf.Value.
EventMessage value_message(const Hyperparameter& value) {
  EventMessage message;
  if (const auto* number = std::get_if<double>(&value)) message.add(2, *number);
  if (const auto* flag = std::get_if<bool>(&value)) message.add(4, *flag);
  if (const auto* text = std::get_if<std::string>(&value)) message.add(3, std::string_view(*text));
  return message;
}

}  // namespace

std::string first_record(double wall_time) {
  return record(EventMessage().add(1, wall_time).add(3, std::string_view("brain.Event:2")));
}

std::string scalars_record(double wall_time, std::int64_t step,
                           const std::vector<std::pair<std::string, float>>& scalars) {
  EventMessage summary;
  for (const auto& [tag, value] : scalars) summary.add(1, EventMessage().add(1, std::string_view(tag)).add(2, value));
  return record(event_at(wall_time, step).add(5, summary));
}

std::string session_start_record(double wall_time, const std::string& group,
                                 const std::vector<std::pair<std::string, Hyperparameter>>& hyperparameters) {
  EventMessage session;
  for (const auto& [name, value] : hyperparameters)
    session.add(1, EventMessage().add(1, std::string_view(name)).add(2, value_message(value)));
  session.add(4, std::string_view(group)).add(5, wall_time);
  return hparams_record(wall_time, "_hparams_/session_start_info", EventMessage().add(3, session));
}

std::string session_end_record(double wall_time, bool succeeded) {
  constexpr std::int64_t kSuccess = 1, kFailure = 2;
  const EventMessage session = EventMessage().add(1, succeeded ? kSuccess : kFailure).add(2, wall_time);
  return hparams_record(wall_time, "_hparams_/session_end_info", EventMessage().add(4, session));
}

}  // namespace sparsepush
