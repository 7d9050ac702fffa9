#include "tests/simt/streams.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>

#include "tests/simt/simt.h"

namespace simt {

unsigned stream_order = 0;
std::recursive_mutex gpu;
thread_local std::unique_ptr<Graph> recording;

namespace {

std::vector<Stream*> streams;

/// The least address of each allocation -> its end and kind.
struct Range {
  const unsigned char* end;
  Memory kind;
};
std::map<const void*, Range, std::less<>> allocations;

std::mt19937& generator() {
  static std::mt19937 random;
  static unsigned seeded = 0;
  if (seeded != stream_order) random.seed(seeded = stream_order);
  return random;
}

/// How many of 8 chances to go on a stream takes: each from none to all, by the order's number.
unsigned pace(std::size_t stream) {
  constexpr unsigned kPaces[] = {0, 8, 4, 7};
  return kPaces[(stream_order + stream * (1 + stream_order / 4)) % 4];
}

/// Streams go on, as far as events let them.
void wander() {
  std::vector<std::size_t> turns(streams.size());
  for (std::size_t s = 0; s < turns.size(); ++s) turns[s] = s;
  std::shuffle(turns.begin(), turns.end(), generator());
  for (const std::size_t s : turns)
    while (streams[s]->has_work() && !streams[s]->is_blocked() && generator()() % 8 < pace(s)) streams[s]->advance();
}

Stream& checked(Stream* stream) {
  if (stream == nullptr) throw Error("simt: the default stream is not simulated");
  return *stream;
}

}  // namespace

Stream::Stream() {
  const std::lock_guard lock(gpu);
  streams.push_back(this);
}
Stream::~Stream() {
  const std::lock_guard lock(gpu);
  synchronize();
  std::erase(streams, this);
}

void Stream::add(Item item) {
  const std::lock_guard lock(gpu);
  items_.push_back(std::move(item));
  if (stream_order == 0)
    synchronize();
  else if (stream_order > 1)
    wander();
}
void Stream::add(std::function<void()> work) { add(Item{std::move(work), nullptr, nullptr}); }
void Stream::record(Event& event) {
  const std::lock_guard lock(gpu);
  event.mark = std::make_shared<Mark>(Mark{.stream = this});
  add(Item{nullptr, event.mark, nullptr});
}
void Stream::wait_for(const Event& event) {
  const std::lock_guard lock(gpu);
  if (event.mark) add(Item{nullptr, nullptr, event.mark});
}

void Stream::synchronize() {
  const std::lock_guard lock(gpu);
  while (has_work()) advance();
}

bool Stream::is_blocked() const { return items_.front().awaited && !items_.front().awaited->reached; }

void Stream::advance() {
  if (is_blocked()) return items_.front().awaited->stream->advance();
  const Item item = std::move(items_.front());
  items_.pop_front();
  if (item.work) item.work();
  if (item.mark) item.mark->reached = true;
}

void synchronize(const Event& event) {
  const std::lock_guard lock(gpu);
  while (event.mark && !event.mark->reached) event.mark->stream->advance();
}
void synchronize_all() {
  const std::lock_guard lock(gpu);
  for (Stream* stream : std::vector(streams)) stream->synchronize();
}

void enqueue(Stream* stream, std::function<void()> work) {
  Stream& to = checked(stream);
  records(stream) ? recording->work.push_back(std::move(work)) : to.add(std::move(work));
}
void launch(const std::shared_ptr<const Graph>& graph, Stream* stream) {
  for (const auto& work : graph->work) checked(stream).add([graph, &work] { work(); });
}

void* allocate(std::size_t bytes, Memory kind) {
  void* p = nullptr;
  if (posix_memalign(&p, 256, std::max<std::size_t>(bytes, 1)) != 0) return nullptr;
  std::memset(p, 0xff, bytes);
  const std::lock_guard lock(gpu);
  allocations[p] = {static_cast<const unsigned char*>(p) + std::max<std::size_t>(bytes, 1), kind};
  return p;
}
void release(void* p) {
  const std::lock_guard lock(gpu);
  allocations.erase(p);
  std::free(p);
}
Memory memory_at(const void* p) {
  const std::lock_guard lock(gpu);
  const auto after = allocations.upper_bound(p);
  if (after == allocations.begin()) return Memory::kPageable;
  const auto& range = std::prev(after)->second;
  return p < range.end ? range.kind : Memory::kPageable;
}

std::size_t device_bytes() {
  const std::lock_guard lock(gpu);
  std::size_t bytes = 0;
  for (const auto& [p, range] : allocations)
    if (range.kind == Memory::kDevice)
      bytes += static_cast<std::size_t>(range.end - static_cast<const unsigned char*>(p));
  return bytes;
}

void copy(Stream* stream, void* to, const void* from, std::size_t bytes) {
  if (memory_at(from) == Memory::kPageable) {
    const auto* first = static_cast<const unsigned char*>(from);
    enqueue(stream,
            [to, staged = std::vector(first, first + bytes)] { std::memcpy(to, staged.data(), staged.size()); });
  } else {
    enqueue(stream, [=] { std::memcpy(to, from, bytes); });
  }
  if (memory_at(to) == Memory::kPageable) stream->synchronize();
}

}  // namespace simt
