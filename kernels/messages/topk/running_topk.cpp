#include "kernels/messages/topk/running_topk.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kSmallestRoom = 8192;  // collecting this much before a cut costs little and stays in L2
constexpr std::int64_t kEntriesPerCut = 4;    // a cut of 4 k elements rids us of 3 k: its cost per element is constant

[[gnu::always_inline]] inline std::int64_t count_at_least(const std::uint32_t* keys, std::int64_t size,
                                                          std::uint32_t threshold) {
  std::int32_t count = 0;
  for (std::int64_t i = 0; i < size; ++i) count += keys[i] >= threshold;
  return count;
}

[[gnu::always_inline]] inline KthLargest bisect(const std::uint32_t* keys, std::int64_t size, std::int64_t k) {
  std::uint32_t low = 0xffff'ffffu, high = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    low = std::min(low, keys[i]);
    high = std::max(high, keys[i]);
  }
  KthLargest found{low, size};
  if (const std::int64_t count = count_at_least(keys, size, high); count >= k) found = {high, count};
  while (found.at_least > k && found.threshold < high) {
    const std::uint32_t middle = found.threshold + (high - found.threshold + 1) / 2;
    const std::int64_t count = count_at_least(keys, size, middle);
    if (count >= k) {
      found = {middle, count};
    } else {
      high = middle - 1;
    }
  }
  return found;
}

/// Keeps what exceeds the threshold and the first `tied` elements that equal it.
void compact_ties(std::int32_t* position, const std::uint32_t* key, std::int64_t size, std::uint32_t threshold,
                  std::int64_t tied) {
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    position[kept] = position[i];
    const bool first_tied = key[i] == threshold && tied > 0;
    tied -= first_tied;
    kept += key[i] > threshold || first_tied;
  }
}

}  // namespace

KthLargest kth_largest(std::span<const std::uint32_t> keys, std::int64_t k, VectorLevel level) {
  KthLargest found;
  const auto find = [&]() __attribute__((always_inline)) {
    found = bisect(keys.data(), static_cast<std::int64_t>(keys.size()), k);
  };
  run_vectorized(level, find);
  return found;
}

std::int64_t RunningTopk::capacity(std::int64_t entries, std::int64_t size) {
  return std::min(size, std::max(kSmallestRoom, kEntriesPerCut * entries)) + kLongestTile + kCollectSlack;
}

RunningTopk::RunningTopk(std::int64_t entries, std::int64_t size, VectorLevel level)
    : level_(level), position_(capacity(entries, size)), key_(capacity(entries, size)) {}

std::int64_t RunningTopk::bytes(std::int64_t entries, std::int64_t size) {
  return capacity(entries, size) * static_cast<std::int64_t>(sizeof(std::int32_t) + sizeof(std::uint32_t));
}

void RunningTopk::start(const float* row, std::int64_t entries, std::uint32_t threshold) {
  row_ = row;
  count_ = 0;
  entries_ = entries;
  threshold_ = threshold;
  largest_ = 0;
}

bool RunningTopk::finish() {
  if (count_ < entries_) return false;
  cut();
  return true;
}

void RunningTopk::cut() {
  const std::span<const std::uint32_t> keys(key_.data(), static_cast<std::size_t>(count_));
  const KthLargest kth = kth_largest(keys, entries_, level_);
  if (kth.at_least == entries_) {
    compact(position_.data(), key_.data(), count_, kth.threshold, level_);
  } else {
    const std::int64_t above = std::count_if(keys.begin(), keys.end(), [&](auto key) { return key > kth.threshold; });
    compact_ties(position_.data(), key_.data(), count_, kth.threshold, entries_ - above);
  }
  count_ = entries_;
  threshold_ = kth.threshold;
}

}  // namespace sparsepush
