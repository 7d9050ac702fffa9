#include "kernels/messages/traffic.h"

#include <vector>

#include "kernels/backend/check.h"
#include "kernels/messages/wire_size.h"

namespace sparsepush {

void check_traffic_shapes(const Traffic& traffic) {
  const auto nodes = static_cast<std::size_t>(traffic.sent.cols);
  CHECK(traffic.sent.rows == kSentCounts, "sent ", traffic.sent);
  CHECK(traffic.copies.size() == nodes, "copies ", traffic.copies.size(), ", sent ", traffic.sent);
  CHECK(!traffic.each.empty() && nodes % traffic.each.size() == 0, "replicas ", traffic.each.size(), ", sent ",
        traffic.sent);
}

void add_traffic(const Cpu&, const Traffic& traffic) {
  check_traffic_shapes(traffic);
  for (int i = 0; i < traffic.sent.cols; ++i) add_sent(traffic, i, bytes_of(traffic, i).wire);
}

void add_traffic(const Cpu& cpu, const Traffic& traffic, const SizedMessagesOf<Cpu>& messages) {
  check_traffic_shapes(traffic);
  std::vector<std::int64_t> size(traffic.copies.size());
  wire_sizes(cpu, messages.layout, messages.messages, messages.entries, size);
  for (int i = 0; i < traffic.sent.cols; ++i) add_sent(traffic, i, size[i] + bytes_of(traffic, i).wire);
}

}  // namespace sparsepush
