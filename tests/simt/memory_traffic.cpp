#include "tests/simt/memory_traffic.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/simt/streams.h"

extern "C" char __executable_start;  // the linker's name for where the program lies

namespace simt {
namespace {

TrafficCounter* counter = nullptr;  // that is told of accesses

}  // namespace

TrafficCounter::TrafficCounter() {
  if (observer != nullptr) throw Error("simt: two observers at once");
  observer = counter = this;
}
TrafficCounter::~TrafficCounter() { observer = counter = nullptr; }

void TrafficCounter::begin(const Launch& launch) {
  launches_.emplace_back().launch = launch;
  memory_.clear();
  for (const MemoryRange& range : device_memory()) {
    const auto begin = reinterpret_cast<std::uintptr_t>(range.first);
    memory_.emplace_back(begin, begin + range.bytes);
  }
}

void TrafficCounter::begin_block() {
  threads_.assign(place.block_shape.x, {});
  read_.clear();
  is_running_ = true;
}

void TrafficCounter::pass_barrier(bool of_block) {
  Thread& thread = threads_[place.thread.x];
  ++thread.barriers;
  if (of_block) thread.stretches.emplace_back();
}

void TrafficCounter::note(const void* instruction, const void* address, std::uint32_t bytes, bool is_write) {
  if (!is_running_) return;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  const auto after = std::ranges::upper_bound(memory_, begin, {}, [](const auto& range) { return range.first; });
  if (after == memory_.begin() || begin >= std::prev(after)->second) return;
  Thread& thread = threads_[place.thread.x];
  thread.stretches.back().push_back({instruction, begin, bytes, thread.barriers, is_write});
}

/// Takes what the lanes of a warp do next; nothing if they are done.
std::vector<TrafficCounter::Access> TrafficCounter::take_request(std::vector<Lane>& lanes) {
  const auto order = [](const Lane& lane) { return std::pair(lane.next->barriers, lane.next->instruction); };
  const Lane* first = nullptr;
  for (const Lane& lane : lanes)
    if (lane.next != lane.end && (first == nullptr || order(lane) < order(*first))) first = &lane;
  std::vector<Access> request;
  if (first == nullptr) return request;
  for (const auto chosen = order(*first); Lane & lane : lanes)
    if (lane.next != lane.end && order(lane) == chosen) request.push_back(*lane.next++);
  return request;
}

/// Notes that a sector is read, and returns whether the first level of cache had it.
bool TrafficCounter::is_cached(std::uintptr_t sector) {
  const auto [found, is_new] = read_.try_emplace(sector, touched_);
  const std::uint64_t before = std::exchange(found->second, touched_);
  return !is_new && touched_ - before <= kCachedSectors;
}

void TrafficCounter::add(std::vector<Access> lanes) {
  std::ranges::sort(lanes, {}, &Access::address);
  Requests request;
  std::uintptr_t bytes_end = 0, next_sector = 0;  // behind what was added
  std::uint32_t widest = 0;
  for (const Access& lane : lanes) {
    const std::uintptr_t end = lane.address + lane.bytes;
    if (end > bytes_end) request.useful += end - std::max(lane.address, bytes_end);
    bytes_end = std::max(bytes_end, end);
    for (std::uintptr_t s = std::max(next_sector, lane.address / kSectorBytes); s * kSectorBytes < end; ++s) {
      ++touched_;
      next_sector = s + 1;
      request.asked += kSectorBytes;
      if (lane.is_write || !is_cached(s)) request.transferred += kSectorBytes;  // what is written goes through
    }
    widest = std::max(widest, lane.bytes);
  }
  request.in_quads = widest == 16 ? request.useful : 0;
  ++(widest <= 4 ? request.narrow : widest <= 8 ? request.wide : request.widest);
  Traffic& traffic = launches_.back();
  for (Requests* sum :
       {lanes[0].is_write ? &traffic.write : &traffic.read, &traffic.by_instruction[lanes[0].instruction]})
    for (const auto member : {&Requests::useful, &Requests::in_quads, &Requests::asked, &Requests::transferred,
                              &Requests::narrow, &Requests::wide, &Requests::widest})
      sum->*member += request.*member;
}

/// Warps take turns, a request each, between barriers of the block.
void TrafficCounter::end_block() {
  is_running_ = false;
  std::size_t stretches = 0;
  for (const Thread& thread : threads_) stretches = std::max(stretches, thread.stretches.size());
  for (std::size_t stretch = 0; stretch < stretches; ++stretch) {
    std::vector<std::vector<Lane>> warps((threads_.size() + kWarp - 1) / kWarp);
    for (std::size_t t = 0; t < threads_.size(); ++t) {
      if (stretch >= threads_[t].stretches.size()) continue;
      const std::vector<Access>& accesses = threads_[t].stretches[stretch];
      warps[t / kWarp].push_back({accesses.data(), accesses.data() + accesses.size()});
    }
    for (bool are_left = true; are_left;) {
      are_left = false;
      for (std::vector<Lane>& lanes : warps) {
        std::vector<Access> request = take_request(lanes);
        if (request.empty()) continue;
        are_left = true;
        add(std::move(request));
      }
    }
  }
}

namespace {

std::string line(const char* name, const Requests& r) {
  char text[200];
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::snprintf(text, sizeof text, "%-12s %12llu %12llu %12llu   %llu, %llu, %llu\n", name, number(r.useful),
                number(r.asked), number(r.transferred), number(r.narrow), number(r.wide), number(r.widest));
  return text;
}

}  // namespace

std::string describe(const Traffic& traffic) {
  std::string text = "bytes              useful        asked  transferred   requests of 4, 8, 16 bytes a lane\n";
  text += line("read", traffic.read) + line("write", traffic.write);
  const std::map<const void*, Requests> ordered(traffic.by_instruction.begin(), traffic.by_instruction.end());
  for (const auto& [instruction, requests] : ordered) {
    if (requests.asked * 100 < traffic.read.asked + traffic.write.asked) continue;
    char name[24];
    std::snprintf(name, sizeof name, "0x%tx", static_cast<const char*>(instruction) - &__executable_start);
    text += line(name, requests);
  }
  return text;
}

}  // namespace simt

// What GCC's -fsanitize=thread calls before an access; nothing else is behind it here.
#define SIMT_HOOK(NAME, BYTES, IS_WRITE)                                                                      \
  extern "C" void NAME(void* address);                                                                        \
  void NAME(void* address) {                                                                                  \
    if (simt::counter != nullptr) simt::counter->note(__builtin_return_address(0), address, BYTES, IS_WRITE); \
  }
SIMT_HOOK(__tsan_read1, 1, false)
SIMT_HOOK(__tsan_read2, 2, false)
SIMT_HOOK(__tsan_read4, 4, false)
SIMT_HOOK(__tsan_read8, 8, false)
SIMT_HOOK(__tsan_read16, 16, false)
SIMT_HOOK(__tsan_write1, 1, true)
SIMT_HOOK(__tsan_write2, 2, true)
SIMT_HOOK(__tsan_write4, 4, true)
SIMT_HOOK(__tsan_write8, 8, true)
SIMT_HOOK(__tsan_write16, 16, true)

extern "C" void __tsan_read_range(void* address, unsigned long bytes);
void __tsan_read_range(void* address, unsigned long bytes) {
  if (simt::counter != nullptr)
    simt::counter->note(__builtin_return_address(0), address, static_cast<std::uint32_t>(bytes), false);
}
extern "C" void __tsan_write_range(void* address, unsigned long bytes);
void __tsan_write_range(void* address, unsigned long bytes) {
  if (simt::counter != nullptr)
    simt::counter->note(__builtin_return_address(0), address, static_cast<std::uint32_t>(bytes), true);
}
// What stands in host code only.
extern "C" void __tsan_init();
void __tsan_init() {}
extern "C" void __tsan_vptr_update(void* address, void* value);
void __tsan_vptr_update(void*, void*) {}
extern "C" int __tsan_atomic32_fetch_add(volatile int* p, int value, int order);
int __tsan_atomic32_fetch_add(volatile int* p, int value, int) {
  return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);
}
