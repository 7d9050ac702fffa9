#include "tests/simt/nccl.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/simt/memory_use.h"
#include "tests/simt/nccl_exchange.h"
#include "tests/simt/nccl_post.h"
#include "tests/simt/nccl_world.h"

namespace {

using simt::nccl::Call, simt::nccl::Exchange, simt::nccl::State, simt::nccl::World;

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
  const simt::MemoryRange range = call.range();
  const auto* first = static_cast<const unsigned char*>(range.first);
  if (range.bytes > 0 && (simt::memory_at(first) != simt::Memory::kDevice ||
                          simt::memory_at(first + range.bytes - 1) != simt::Memory::kDevice))
    return "memory that is not the GPU's";
  return {};
}

/// What is wrong with the calls of a group together.
std::string broken_rule(const std::vector<Call>& calls, bool is_grouped) {
  const Call& first = calls.front();
  World& world = *first.comm->world;
  if (!is_grouped &&
      world.posted(!first.sends, first.from(), first.to()) <= world.posted(first.sends, first.from(), first.to()))
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

ncclResult_t launch(const std::vector<Call>& calls, bool is_grouped) {
  if (calls.empty()) return ncclSuccess;
  ncclComm& comm = *calls.front().comm;
  if (const std::string why = broken_rule(calls, is_grouped); !why.empty()) return refuse(ncclInvalidUsage, why);
  const auto exchange = std::make_shared<Exchange>(comm);
  std::erase_if(comm.exchanges, [](const auto& old) { return old.expired(); });
  comm.exchanges.push_back(exchange);
  std::string refusal;
  for (const Call& call : calls) exchange->add(call, comm.world->post(call, refusal));
  if (!refusal.empty()) {
    exchange->drop("simulated NCCL: " + refusal);
    return refuse(ncclInvalidUsage, refusal);
  }
  calls.front().stream->add([exchange] { exchange->begin(); });
  calls.front().stream->add(exchange);
  comm.world->serve();
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

/// What every unique id begins with.
constexpr std::string_view kMark = "simulated ";

std::string text_of(const ncclUniqueId& id) { return {id.internal, strnlen(id.internal, sizeof id.internal)}; }

}  // namespace

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  const std::lock_guard lock(simt::gpu);
  *id = {};
  const std::string text = std::string(kMark) + std::to_string(getpid()) + ' ' + std::to_string(worlds.size());
  std::ranges::copy(text, id->internal);
  worlds[text_of(*id)] = nullptr;
  return ncclSuccess;
}

namespace {

/// Joins the others as a thread of this process.
ncclResult_t join_threads(std::shared_ptr<World>& world, int ranks, int rank) {
  if (!world) world = std::make_shared<World>(ranks);
  if (world->ranks() != ranks) return refuse(ncclInvalidArgument, "ranks that do not agree how many they are");
  if (world->rank[rank] != State::kAway) return refuse(ncclInvalidArgument, world->name(rank) + " is there already");
  world->rank[rank] = State::kThere;
  simt::gpu.notify();
  while (std::ranges::count(world->rank, State::kAway) > 0) simt::gpu.wait();
  return ncclSuccess;
}

}  // namespace

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  std::unique_lock lock(simt::gpu);
  const std::string text = text_of(id);
  const bool are_processes = simt::nccl::open_post != nullptr;
  if (are_processes ? !text.starts_with(kMark) : !worlds.contains(text))
    return refuse(ncclInvalidArgument, "a unique id that nobody has made");
  if (group.depth > 0 || simt::recording) return refuse(ncclInvalidUsage, "a communicator made in a group or record");
  if (rank < 0 || rank >= ranks) return refuse(ncclInvalidArgument, "a rank that does not exist");
  std::shared_ptr<World> world;
  if (are_processes) {
    world = std::make_shared<World>(ranks);
    lock.unlock();
    try {
      world->connect(text, rank);
    } catch (const simt::Error& error) {
      return refuse(ncclInvalidArgument, error.what());
    }
    lock.lock();
  } else {
    if (const auto result = join_threads(worlds[text], ranks, rank); result != ncclSuccess) return result;
    world = worlds[text];
  }
  auto made = std::make_unique<ncclComm>(ncclComm{.world = world, .rank = rank});
  *comm = made.get();
  comms[made.get()] = std::move(made);
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  std::unique_ptr<simt::nccl::Post> post;  // which a thread takes letters from that waits for the GPU
  const std::lock_guard lock(simt::gpu);
  if (!is_alive(comm)) return refuse(ncclInvalidArgument, kNoComm);
  if (group.depth > 0) return refuse(ncclInvalidUsage, "a communicator destroyed in a group");
  if (!std::ranges::all_of(comm->exchanges, [](const auto& e) { return e.expired(); }))
    return refuse(ncclInvalidUsage, "a communicator destroyed while an exchange is pending");
  post = comm->world->leave(comm->rank, State::kLeft);
  simt::gpu.notify();
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  std::unique_ptr<simt::nccl::Post> post;
  const std::lock_guard lock(simt::gpu);
  if (!is_alive(comm)) return refuse(ncclInvalidArgument, kNoComm);
  for (const auto& exchange : comm->exchanges)
    if (const auto pending = exchange.lock()) pending->drop("simulated NCCL: " + comm->name() + " has aborted");
  post = comm->world->leave(comm->rank, State::kAborted);
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
