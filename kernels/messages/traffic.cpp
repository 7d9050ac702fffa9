#include "kernels/messages/traffic.h"

#include "kernels/backend/check.h"
#include "kernels/messages/wire_size_loop.h"

namespace sparsepush {

void check_traffic_shapes(const Traffic& traffic) {
  const auto nodes = static_cast<std::size_t>(traffic.sent.cols);
  CHECK(traffic.sent.rows == kSentCounts, "sent ", traffic.sent);
  CHECK(traffic.copies.size() == nodes, "copies ", traffic.copies.size(), ", sent ", traffic.sent);
  CHECK(!traffic.each.empty() && nodes % traffic.each.size() == 0, "replicas ", traffic.each.size(), ", sent ",
        traffic.sent);
  CHECK(traffic.due.empty() || traffic.due.size() == traffic.each.size(), "due [", traffic.due.size(), "], replicas ",
        traffic.each.size());
}

void check_traffic_shapes(const Traffic& traffic, const ConstMessages& messages,
                          std::span<const std::int64_t> entries) {
  check_traffic_shapes(traffic);
  CHECK(entries.size() == traffic.copies.size() && messages.position.rows >= std::ssize(entries), "entries [",
        entries.size(), "], nodes ", traffic.copies.size(), ", positions ", messages.position);
}

void add_traffic(const Cpu&, const Traffic& traffic) {
  check_traffic_shapes(traffic);
  for (int i = 0; i < traffic.sent.cols; ++i) add_sent(traffic, i, bytes_of(traffic, i).wire);
}

void add_traffic(const Cpu& cpu, const Traffic& traffic, const SizedMessagesOf<Cpu>& messages) {
  check_traffic_shapes(traffic, messages.messages, messages.entries);
  for_each_wire_size(
      cpu, messages.layout, messages.messages.position, messages.entries,
      [&](std::int64_t i, std::int64_t size) { add_sent(traffic, i, size + bytes_of(traffic, i).wire); });
}

}  // namespace sparsepush
