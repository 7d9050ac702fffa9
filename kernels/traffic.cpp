#include "kernels/traffic.h"

#include <vector>

#include "kernels/check.h"
#include "kernels/wire_size.h"

namespace sparsepush {

void check_traffic_shapes(std::span<const std::int64_t> copies, std::span<const std::int64_t> bytes) {
  CHECK(copies.size() == bytes.size(), "copies ", copies.size(), ", bytes ", bytes.size());
}

void add_wire_traffic(const Cpu& cpu, const WireTraffic<Cpu>& traffic) {
  check_traffic_shapes(traffic.copies, traffic.bytes);
  std::vector<std::int64_t> size(traffic.bytes.size());
  wire_sizes(cpu, traffic.layout, traffic.messages, traffic.entries, size);
  for (std::size_t i = 0; i < size.size(); ++i) traffic.bytes[i] += traffic.copies[i] * size[i];
}

void add_dense_traffic(const Cpu&, std::span<const std::int64_t> copies, std::int64_t message_bytes,
                       std::span<std::int64_t> bytes) {
  check_traffic_shapes(copies, bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] += copies[i] * message_bytes;
}

}  // namespace sparsepush
