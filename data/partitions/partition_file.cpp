#include "data/partitions/partition_file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

#include "data/files/input_error.h"

namespace sparsepush {
namespace {

constexpr std::size_t kLongestLine = 100;  // characters: two numbers

/// Parses "first,second".
bool parse(std::string_view line, std::int64_t& first, std::int64_t& second) {
  const char* const end = line.data() + line.size();
  const auto sample = std::from_chars(line.data(), end, first);
  if (sample.ec != std::errc() || sample.ptr == end || *sample.ptr != ',') return false;
  const auto node = std::from_chars(sample.ptr + 1, end, second);
  return node.ec == std::errc() && node.ptr == end;
}

}  // namespace

Partition read_partition_file(const std::string& path, int samples, int nodes) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw InputError("{}: cannot be opened: {}", path, std::strerror(errno));
  Partition partition(nodes);
  std::vector<std::int64_t> line_of(samples, 0);
  std::array<char, kLongestLine + 2> buffer{};
  if (file.peek() == std::ifstream::traits_type::eof()) throw InputError("{}:1: expected the header sample,node", path);
  file.clear();
  for (std::int64_t number = 1; file.getline(buffer.data(), buffer.size()) || file.gcount() > 0; ++number) {
    if (file.fail() && !file.eof())
      throw InputError("{}:{}: expected a line of at most {} characters", path, number, kLongestLine);
    std::string_view line(buffer.data());
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == 1) {
      if (line != "sample,node") throw InputError("{}:1: expected the header sample,node", path);
      continue;
    }
    std::int64_t sample = 0, node = 0;
    if (!parse(line, sample, node)) throw InputError("{}:{}: expected two numbers sample,node", path, number);
    if (sample < 0 || sample >= samples)
      throw InputError("{}:{}: sample: expected 0 <= sample < {}, the training samples; got {}", path, number, samples,
                       sample);
    if (node < 0 || node >= nodes)
      throw InputError("{}:{}: node: expected 0 <= node < run.nodes, which is {}; got {}", path, number, nodes, node);
    if (line_of[sample] > 0)
      throw InputError("{}:{}: sample {} is in line {} already", path, number, sample, line_of[sample]);
    line_of[sample] = number;
    partition[node].push_back(static_cast<std::int32_t>(sample));
  }
  if (file.bad()) throw InputError("{}: cannot be read: {}", path, std::strerror(errno));
  return partition;
}

}  // namespace sparsepush
