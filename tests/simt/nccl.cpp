#include "tests/simt/nccl.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/simt/memory_use.h"

namespace {

using simt::Access, simt::MemoryRange, simt::MemoryUse;

/// An argument list of ncclSend or ncclRecv.
struct Call {
  ncclComm_t comm;
  bool sends;
  void* memory;
  std::size_t count;
  ncclDataType_t type;
  int peer;
  cudaStream_t stream;

  MemoryRange range() const { return {memory, count * (type == ncclInt32 ? 4 : 1)}; }
  Access access() const { return sends ? Access::kRead : Access::kWrite; }
};

struct Side {
  Call call{};
  bool posted = false, begun = false;
};

/// The n-th message from one rank to another: their n-th ncclSend and ncclRecv.
struct Message {
  int from = 0, to = 0;
  Side side[2] = {};  ///< the receiver's, the sender's
  bool delivered = false, is_buffered = false;
  std::vector<unsigned char> buffer = {};  ///< what was sent, if the sender has not waited for the receiver
  std::string failure = {};                ///< why it will not arrive

  bool is_done(bool for_sender) const { return delivered || (for_sender && is_buffered); }
  bool is_deliverable() const { return failure.empty() && side[0].begun && side[1].begun; }
  void deliver() {
    const MemoryRange from_range = side[1].call.range();
    std::memcpy(side[0].call.memory, is_buffered ? buffer.data() : from_range.first, from_range.bytes);
    delivered = true;
  }
};

enum class State { kAway, kThere, kLeft, kAborted };

/// The ranks of one unique id.
struct World {
  explicit World(int ranks) : rank(ranks, State::kAway) {}
  std::vector<State> rank;
  std::map<std::tuple<int, int, long>, std::shared_ptr<Message>> open;  ///< of which one side has been posted
  std::map<std::pair<int, int>, long> posted[2];                        ///< [receives, sends] from one rank to another

  int ranks() const { return static_cast<int>(rank.size()); }
  std::string name(int r) const { return "rank " + std::to_string(r) + " of " + std::to_string(ranks()); }
};

class Exchange;

}  // namespace

struct ncclComm {
  std::shared_ptr<World> world;
  int rank = 0;
  std::vector<std::weak_ptr<Exchange>> exchanges;

  State& state() const { return world->rank[rank]; }
  bool is_alive() const { return state() == State::kThere; }
};

namespace {

/// The calls of one group, as work of their stream.
class Exchange : public simt::Joint {
 public:
  explicit Exchange(const ncclComm& comm) : comm_(comm) {}

  void add(const Call& call, std::shared_ptr<Message> message) {
    parts_.push_back(
        {std::move(message), call.sends, std::make_unique<MemoryUse>(call.range(), call.access(), call.stream)});
  }
  /// To be called when the stream has come to it.
  void begin() {
    for (const Part& part : parts_) {
      Side& own = part.message->side[part.sends];
      own.begun = true;
      part.use->begin();
      const MemoryRange range = own.call.range();
      if (!part.sends) std::memset(own.call.memory, 0xff, range.bytes);
      if (!part.sends || simt::chosen(2) == 0) continue;
      const auto* first = static_cast<const unsigned char*>(range.first);
      part.message->buffer.assign(first, first + range.bytes);
      part.message->is_buffered = true;
    }
  }

  bool is_blocked() const override {
    bool all_done = true;
    for (const Part& part : parts_) {
      if (part.is_done()) continue;
      if (part.message->is_deliverable()) return false;
      all_done = false;
    }
    return !all_done && comm_.is_alive();
  }
  simt::Stream* awaited() const override {
    simt::Stream* stream = nullptr;
    for (const Part& part : parts_) {
      if (part.is_done()) continue;
      const Message& message = *part.message;
      const Side& other = message.side[!part.sends];
      const int peer = part.sends ? message.to : message.from;
      if (!message.failure.empty()) throw simt::Error(message.failure);
      if (other.posted)
        stream = other.call.stream;
      else if (comm_.world->rank[peer] >= State::kLeft)
        throw simt::Error("simulated NCCL: " + comm_.world->name(comm_.rank) + " waits for rank " +
                          std::to_string(peer) + ", which has left");
    }
    return stream;
  }
  bool advance() override {
    if (!comm_.is_alive()) return true;
    std::vector<Part*> next;
    for (Part& part : parts_)
      if (!part.is_done() && part.message->is_deliverable()) next.push_back(&part);
    if (!next.empty()) next[simt::chosen(static_cast<unsigned>(next.size()))]->message->deliver();
    for (Part& part : parts_)
      if (part.is_done()) part.use.reset();
    return std::ranges::all_of(parts_, &Part::is_done);
  }
  void drop(const std::string& why) override {
    for (const Part& part : parts_)
      if (!part.is_done() && part.message->failure.empty()) part.message->failure = why;
    simt::gpu.notify();
  }

 private:
  struct Part {
    std::shared_ptr<Message> message;
    bool sends;
    std::unique_ptr<MemoryUse> use;
    bool is_done() const { return message->is_done(sends); }
  };
  const ncclComm& comm_;
  std::vector<Part> parts_;
};

/// What this thread has called since its outermost ncclGroupStart.
struct Group {
  int depth = 0;
  ncclResult_t result = ncclSuccess;
  std::vector<Call> calls;
};
thread_local Group group;
thread_local std::string last_error;

std::map<std::string, std::shared_ptr<World>> worlds;  ///< by unique id; null until a rank has come
std::map<const ncclComm*, std::unique_ptr<ncclComm>> comms;

ncclResult_t refuse(ncclResult_t result, const std::string& why) {
  last_error = "simulated NCCL: " + why;
  if (group.depth > 0 && group.result == ncclSuccess) group.result = result;
  return result;
}

bool is_alive(ncclComm_t comm) {
  const auto found = comms.find(comm);
  return found != comms.end() && found->second->is_alive();
}

constexpr auto kNoComm = "a communicator that does not exist, or no more";

/// What is wrong with a call by itself.
std::string broken_rule(const Call& call) {
  if (!is_alive(call.comm)) return kNoComm;
  const World& world = *call.comm->world;
  if (call.peer < 0 || call.peer >= world.ranks()) return "a peer that is " + world.name(call.peer);
  if (call.stream == nullptr) return "the default stream is not simulated";
  if (simt::recording) return "a call while work is recorded";
  const MemoryRange range = call.range();
  const auto* first = static_cast<const unsigned char*>(range.first);
  if (range.bytes > 0 && (simt::memory_at(first) != simt::Memory::kDevice ||
                          simt::memory_at(first + range.bytes - 1) != simt::Memory::kDevice))
    return "memory that is not the GPU's";
  return {};
}

std::pair<int, int> ends_of(const Call& call) {
  return call.sends ? std::pair(call.comm->rank, call.peer) : std::pair(call.peer, call.comm->rank);
}

/// What is wrong with the calls of a group together.
std::string broken_rule(const std::vector<Call>& calls, bool is_grouped) {
  const Call& first = calls.front();
  World& world = *first.comm->world;
  if (!is_grouped && world.posted[!first.sends][ends_of(first)] <= world.posted[first.sends][ends_of(first)])
    return std::string(first.sends ? "ncclSend" : "ncclRecv") + " outside of a group, which would wait for " +
           world.name(first.peer);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Call& call = calls[i];
    if (call.comm != first.comm || call.stream != first.stream)
      return "several communicators or streams in a group are not simulated";
    if (simt::is_used(call.range(), call.access(), call.stream))
      return "memory that a pending exchange of another stream uses";
    for (std::size_t j = 0; j < i; ++j)
      if (!(call.sends && calls[j].sends) && overlap(call.range(), calls[j].range()))
        return "memory of two calls of a group overlaps";
  }
  return {};
}

/// Makes a call one side of its message; `refusal` becomes what is wrong with both sides together.
std::shared_ptr<Message> post(const Call& call, std::string& refusal) {
  World& world = *call.comm->world;
  const auto [from, to] = ends_of(call);
  const long number = world.posted[call.sends][{from, to}]++;
  std::shared_ptr<Message>& there = world.open[{from, to, number}];
  if (!there) there = std::make_shared<Message>(Message{.from = from, .to = to});
  const std::shared_ptr<Message> message = there;
  message->side[call.sends] = {.call = call, .posted = true};
  const Side& other = message->side[!call.sends];
  if (!other.posted) return message;
  world.open.erase({from, to, number});
  const Call &sent = message->side[1].call, &received = message->side[0].call;
  if (refusal.empty() && (sent.count != received.count || sent.type != received.type))
    refusal = "message " + std::to_string(number) + " from rank " + std::to_string(from) + " to " + world.name(to) +
              " has " + std::to_string(sent.count) + " elements of type " + std::to_string(sent.type) +
              ", awaited are " + std::to_string(received.count) + " of type " + std::to_string(received.type);
  return message;
}

ncclResult_t launch(const std::vector<Call>& calls, bool is_grouped) {
  if (calls.empty()) return ncclSuccess;
  ncclComm& comm = *calls.front().comm;
  if (const std::string why = broken_rule(calls, is_grouped); !why.empty()) return refuse(ncclInvalidUsage, why);
  const auto exchange = std::make_shared<Exchange>(comm);
  std::string refusal;
  for (const Call& call : calls) exchange->add(call, post(call, refusal));
  if (!refusal.empty()) {
    exchange->drop("simulated NCCL: " + refusal);
    return refuse(ncclInvalidUsage, refusal);
  }
  std::erase_if(comm.exchanges, [](const auto& old) { return old.expired(); });
  comm.exchanges.push_back(exchange);
  calls.front().stream->add([exchange] { exchange->begin(); });
  calls.front().stream->add(exchange);
  simt::gpu.notify();
  return ncclSuccess;
}

ncclResult_t call(const Call& call) {
  const std::lock_guard lock(simt::gpu);
  if (const std::string why = broken_rule(call); !why.empty()) return refuse(ncclInvalidArgument, why);
  if (group.depth == 0) return launch({call}, false);
  group.calls.push_back(call);
  return ncclSuccess;
}

std::string text_of(const ncclUniqueId& id) { return {id.internal, sizeof id.internal}; }

}  // namespace

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::lock_guard lock(simt::gpu);
  *id = {};
  const std::string text = "simulated " + std::to_string(worlds.size());
  std::ranges::copy(text, id->internal);
  worlds[text_of(*id)] = nullptr;
  return ncclSuccess;
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  const std::lock_guard lock(simt::gpu);
  const auto found = worlds.find(text_of(id));
  if (found == worlds.end()) return refuse(ncclInvalidArgument, "a unique id that nobody has made");
  if (group.depth > 0 || simt::recording) return refuse(ncclInvalidUsage, "a communicator made in a group or record");
  if (rank < 0 || rank >= ranks) return refuse(ncclInvalidArgument, "a rank that does not exist");
  if (!found->second) found->second = std::make_shared<World>(ranks);
  const std::shared_ptr<World> world = found->second;
  if (world->ranks() != ranks) return refuse(ncclInvalidArgument, "ranks that do not agree how many they are");
  if (world->rank[rank] != State::kAway) return refuse(ncclInvalidArgument, world->name(rank) + " is there already");
  world->rank[rank] = State::kThere;
  simt::gpu.notify();
  while (std::ranges::count(world->rank, State::kAway) > 0) simt::gpu.wait();
  auto made = std::make_unique<ncclComm>(ncclComm{.world = world, .rank = rank, .exchanges = {}});
  *comm = made.get();
  comms[made.get()] = std::move(made);
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  const std::lock_guard lock(simt::gpu);
  if (!is_alive(comm)) return refuse(ncclInvalidArgument, kNoComm);
  if (group.depth > 0) return refuse(ncclInvalidUsage, "a communicator destroyed in a group");
  if (!std::ranges::all_of(comm->exchanges, [](const auto& e) { return e.expired(); }))
    return refuse(ncclInvalidUsage, "a communicator destroyed while an exchange is pending");
  comm->state() = State::kLeft;
  simt::gpu.notify();
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  const std::lock_guard lock(simt::gpu);
  if (!is_alive(comm)) return refuse(ncclInvalidArgument, kNoComm);
  comm->state() = State::kAborted;
  for (const auto& exchange : comm->exchanges)
    if (const auto pending = exchange.lock())
      pending->drop("simulated NCCL: " + comm->world->name(comm->rank) + " has aborted");
  simt::gpu.notify();
  return ncclSuccess;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  const std::lock_guard lock(simt::gpu);
  if (!is_alive(comm)) return refuse(ncclInvalidArgument, kNoComm);
  const bool aborted = std::ranges::count(comm->world->rank, State::kAborted) > 0;
  if (aborted) last_error = "simulated NCCL: another rank has aborted";
  *error = aborted ? ncclRemoteError : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclSend(const void* memory, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return call({comm, true, const_cast<void*>(memory), count, type, peer, stream});
}
ncclResult_t ncclRecv(void* memory, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  return call({comm, false, memory, count, type, peer, stream});
}

ncclResult_t ncclGroupStart() {
  ++group.depth;
  return ncclSuccess;
}
/// A group of which a call was refused does nothing.
ncclResult_t ncclGroupEnd() {
  if (group.depth == 0) return refuse(ncclInvalidUsage, "the end of a group that has not begun");
  if (--group.depth > 0) return group.result;
  const Group ended = std::exchange(group, {});
  if (ended.result != ncclSuccess) return ended.result;
  const std::lock_guard lock(simt::gpu);
  return launch(ended.calls, true);
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclInvalidArgument:
      return "invalid argument (simulated)";
    case ncclInvalidUsage:
      return "invalid usage (simulated)";
    case ncclRemoteError:
      return "remote process exited or there was a network error (simulated)";
  }
  return "unknown result code (simulated)";
}
const char* ncclGetLastError(ncclComm_t) { return last_error.c_str(); }

int simt::nccl_ranks() {
  const std::lock_guard lock(gpu);
  return static_cast<int>(std::ranges::count_if(comms, [](const auto& comm) { return comm.second->is_alive(); }));
}
