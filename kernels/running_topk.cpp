#include "kernels/running_topk.h"

#include <algorithm>

#include "kernels/view.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kTile = 1024;          // elements between two looks at the room left
constexpr std::int64_t kSmallestRoom = 8192;  // collecting this much before a cut costs little and stays in L2
constexpr std::int64_t kEntriesPerCut = 4;    // a cut of 4 k elements rids us of 3 k: its cost per element is constant

std::int64_t capacity(std::int64_t entries, std::int64_t size) {
  return std::min(size, std::max(kSmallestRoom, kEntriesPerCut * entries)) + kTile + kCollectSlack;
}

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

}  // namespace

KthLargest kth_largest(std::span<const std::uint32_t> keys, std::int64_t k) {
  KthLargest found;
  run_vectorized([&]() __attribute__((always_inline)) {
    found = bisect(keys.data(), static_cast<std::int64_t>(keys.size()), k);
  });
  return found;
}

RunningTopk::RunningTopk(std::int64_t entries, std::int64_t size)
    : position_(capacity(entries, size)), key_(capacity(entries, size)) {}

std::int64_t RunningTopk::bytes(std::int64_t entries, std::int64_t size) {
  return capacity(entries, size) * static_cast<std::int64_t>(sizeof(std::int32_t) + sizeof(std::uint32_t));
}

void RunningTopk::start(std::int64_t entries, std::uint32_t threshold) {
  count_ = 0;
  entries_ = entries;
  threshold_ = threshold;
}

void RunningTopk::add(const float* v, std::int64_t first, std::int64_t size) {
  const std::int64_t room = static_cast<std::int64_t>(key_.size()) - kTile - kCollectSlack;
  for (std::int64_t begin = 0; begin < size; begin += kTile) {
    if (count_ > room) {
      cut();
      ++threshold_;  // what follows loses against an equal magnitude
    }
    const Collected to{position_.data() + count_, key_.data() + count_};
    count_ += collect(v + begin, first + begin, std::min(kTile, size - begin), threshold_, to);
  }
}

bool RunningTopk::finish() {
  if (count_ < entries_) return false;
  cut();
  return true;
}

void RunningTopk::cut() {
  const KthLargest kth = kth_largest({key_.data(), static_cast<std::size_t>(count_)}, entries_);
  std::int64_t tied = 0;  // how many elements at the threshold stay: the first ones
  if (kth.at_least > entries_) {
    tied = entries_;
    for (std::int64_t i = 0; i < count_; ++i) tied -= key_[i] > kth.threshold;
  }
  const std::uint32_t certain = kth.threshold + (kth.at_least > entries_);
  std::int64_t kept = 0;
  for (std::int64_t i = 0; i < count_; ++i) {
    const std::uint32_t key = key_[i];
    key_[kept] = key;
    position_[kept] = position_[i];
    const bool at_threshold = key < certain && key == kth.threshold && tied > 0;
    tied -= at_threshold;
    kept += key >= certain || at_threshold;
  }
  count_ = entries_;
  threshold_ = kth.threshold;
}

}  // namespace sparsepush
