#include "tests/simt/streams.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <random>
#include <utility>

#include "tests/simt/simt.h"

namespace simt {

unsigned stream_order = 0;
SharedGpu gpu;
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

constexpr std::chrono::minutes kMostWait{2};

Stream& checked(Stream* stream) {
  if (stream == nullptr) throw Error("simt: the default stream is not simulated");
  return *stream;
}

}  // namespace

unsigned chosen(unsigned count) { return stream_order < 2 ? 0 : generator()() % count; }

void SharedGpu::lock() {
  std::unique_lock lock(mutex_);
  if (owner_ != std::this_thread::get_id()) {
    free_.wait(lock, [this] { return depth_ == 0; });
    owner_ = std::this_thread::get_id();
  }
  ++depth_;
}
void SharedGpu::unlock() {
  const std::lock_guard lock(mutex_);
  if (--depth_ > 0) return;
  owner_ = {};
  free_.notify_one();
}
void SharedGpu::wait() {
  std::unique_lock lock(mutex_);
  const unsigned depth = std::exchange(depth_, 0);
  owner_ = {};
  free_.notify_one();
  const bool in_time = changed_.wait_for(lock, kMostWait, [this, before = changes_] { return changes_ != before; });
  free_.wait(lock, [this] { return depth_ == 0; });
  owner_ = std::this_thread::get_id();
  depth_ = depth;
  if (!in_time) throw Error("simt: for two minutes no other rank has called what this one waits for");
}
void SharedGpu::notify() {
  const std::lock_guard lock(mutex_);
  ++changes_;
  changed_.notify_all();
}

Stream::Stream() {
  const std::lock_guard lock(gpu);
  streams.push_back(this);
}
Stream::~Stream() {
  const std::lock_guard lock(gpu);
  advance_freely();
  if (has_work()) fail("simt: a stream was destroyed that others wait for");
  std::erase(streams, this);
}

void Stream::add(Item item) {
  const std::lock_guard lock(gpu);
  if (!failure_.empty()) {
    if (item.joint) item.joint->drop("simt: a stream that others wait for has failed");
    return;
  }
  items_.push_back(std::move(item));
  if (stream_order == 0)
    advance_freely();
  else if (stream_order > 1)
    wander();
}
void Stream::add(std::function<void()> work) { add(Item{.work = std::move(work)}); }
void Stream::add(std::shared_ptr<Joint> joint) { add(Item{.joint = std::move(joint)}); }
void Stream::record(Event& event) {
  const std::lock_guard lock(gpu);
  event.mark = std::make_shared<Mark>(Mark{.stream = this, .reached = !failure_.empty(), .failure = failure_});
  add(Item{.mark = event.mark});
}
void Stream::wait_for(const Event& event) {
  const std::lock_guard lock(gpu);
  if (event.mark) add(Item{.awaited = event.mark});
}

void Stream::synchronize() {
  const std::lock_guard lock(gpu);
  finish();
  if (!failure_.empty()) throw Error(failure_);
}
void Stream::finish() {
  while (has_work())
    if (!advance()) gpu.wait();
}
void Stream::advance_freely() {
  while (has_work() && advance()) {
  }
}

bool Stream::is_blocked() const {
  const Item& next = items_.front();
  return next.joint ? next.joint->is_blocked() : next.awaited && !next.awaited->reached;
}

bool Stream::advance() {
  if (is_blocked()) return advance_blocked();
  if (items_.front().joint && !items_.front().joint->advance()) return true;
  const Item item = std::move(items_.front());
  items_.pop_front();
  if (item.awaited && !item.awaited->failure.empty()) fail(item.awaited->failure);
  try {
    if (item.work) item.work();
  } catch (const std::bad_alloc&) {  // of the simulator: what is behind it may need what has not been done
    fail("simt: out of memory");
    throw;
  }
  if (item.mark) item.mark->reached = true;
  return true;
}

/// Lets the stream go on that this one waits for.
bool Stream::advance_blocked() {
  if (std::exchange(in_chain_, true)) throw Error("simt: streams wait for each other");
  bool advanced = true;
  try {
    const Item& next = items_.front();
    Stream* const other = next.joint ? next.joint->awaited() : next.awaited->stream;
    advanced = other != nullptr && other->advance();
  } catch (const Error& error) {
    fail(error.what());
  }
  in_chain_ = false;
  return advanced;
}

void Stream::fail(const std::string& why) {
  failure_ = why;
  for (const Item& item : std::exchange(items_, {})) {
    if (item.mark) {
      item.mark->reached = true;
      item.mark->failure = why;
    }
    if (item.joint) item.joint->drop(why);
  }
}

void synchronize(const Event& event) {
  const std::lock_guard lock(gpu);
  while (event.mark && !event.mark->reached)
    if (!event.mark->stream->advance()) gpu.wait();
}
void synchronize_all() {
  const std::lock_guard lock(gpu);
  std::vector<Stream*> own;
  for (Stream* stream : streams) {
    stream->advance_freely();
    if (stream->belongs_to_this_thread()) own.push_back(stream);
  }
  for (Stream* stream : own) stream->finish();
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
  if (const auto found = allocations.find(p); found != allocations.end()) {
    const auto* first = static_cast<const unsigned char*>(p);
    check_unused({p, static_cast<std::size_t>(found->second.end - first)}, Access::kFree, nullptr);
    allocations.erase(found);
  }
  std::free(p);
}
Memory memory_at(const void* p) {
  const std::lock_guard lock(gpu);
  const auto after = allocations.upper_bound(p);
  if (after == allocations.begin()) return Memory::kPageable;
  const auto& range = std::prev(after)->second;
  return p < range.end ? range.kind : Memory::kPageable;
}

std::vector<MemoryRange> device_memory() {
  const std::lock_guard lock(gpu);
  std::vector<MemoryRange> memory;
  for (const auto& [p, range] : allocations)
    if (range.kind == Memory::kDevice)
      memory.push_back({p, static_cast<std::size_t>(range.end - static_cast<const unsigned char*>(p))});
  return memory;
}
std::size_t device_bytes() {
  std::size_t bytes = 0;
  for (const MemoryRange& range : device_memory()) bytes += range.bytes;
  return bytes;
}

void copy(Stream* stream, void* to, const void* from, std::size_t bytes) {
  if (memory_at(from) == Memory::kPageable) {
    const auto* first = static_cast<const unsigned char*>(from);
    enqueue(stream, [stream, to, staged = std::vector(first, first + bytes)] {
      check_unused({to, staged.size()}, Access::kWrite, stream);
      std::memcpy(to, staged.data(), staged.size());
    });
  } else {
    enqueue(stream, [=] {
      check_unused({from, bytes}, Access::kRead, stream);
      check_unused({to, bytes}, Access::kWrite, stream);
      std::memcpy(to, from, bytes);
    });
  }
  if (memory_at(to) == Memory::kPageable) stream->synchronize();
}

void fill(Stream* stream, void* p, int byte, std::size_t bytes) {
  enqueue(stream, [=] {
    check_unused({p, bytes}, Access::kWrite, stream);
    std::memset(p, byte, bytes);
  });
}

}  // namespace simt
