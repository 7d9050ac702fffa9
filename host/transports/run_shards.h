// Runs every shard of a run in a thread of this process.
#pragma once
#include <algorithm>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "host/transports/local_transport.h"
#include "kernels/backend/processors.h"

namespace sparsepush {

/// Returns how many threads each shard has of `shards` shards that share `threads` (0: one per processor that the
/// process may use).
inline int threads_per_shard(int threads, int shards) {
  const int all = threads > 0 ? threads : usable_processors();
  return std::max(1, all / shards);
}

/// Calls body(transport) once per shard, each in its own thread if there are several. If one throws, the others are
/// released from their collective calls, and the first shard's own exception is rethrown when all have ended. Throws
/// std::runtime_error if the system has no more threads.
template <class Backend, class Body>
void run_shards(int shards, int replicas, int nodes, Body body) {
  LocalMeeting meeting(shards);
  std::vector<std::exception_ptr> errors(shards);
  const auto run_one = [&](int index) {
    LocalTransport<Backend> transport(meeting, {index, shards, replicas, nodes});
    try {
      body(transport);
    } catch (const TransportAborted&) {  // the shard that failed tells why
    } catch (...) {
      errors[index] = std::current_exception();
      meeting.abort();
    }
  };
  std::vector<std::jthread> threads;
  try {
    for (int index = 1; index < shards; ++index) threads.emplace_back(run_one, index);
  } catch (const std::exception& error) {
    meeting.abort();
    throw std::runtime_error("cannot start " + std::to_string(shards) + " shards: " + error.what());
  }
  run_one(0);
  threads.clear();
  for (const auto& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace sparsepush
