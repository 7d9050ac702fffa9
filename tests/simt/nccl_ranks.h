// Ranks of the stand-in for NCCL, as threads; nccl_processes_test.cpp has processes.
#pragma once
#include <gtest/gtest.h>

#include <barrier>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/cuda_launch.h"
#include "tests/simt/nccl.h"

namespace sparsepush {

/// A rank with memory for a few messages.
struct Rank {
  /// `meet` returns when all ranks have called it.
  Rank(const ncclUniqueId& id, int ranks, int rank, std::function<void()> meet = {})
      : rank(rank), ranks(ranks), sent(gpu, ranks, 4), received(gpu, ranks, 4), meet(std::move(meet)) {
    std::vector<int> values;
    for (int to = 0; to < ranks; ++to)
      for (int i = 0; i < 4; ++i) values.push_back(100 * rank + 10 * to + i);
    sent.assign(values);
    gpu.synchronize();
    EXPECT_EQ(ncclCommInitRank(&comm, ranks, id, rank), ncclSuccess);
  }
  ncclResult_t send(int to, int count = 4) const {
    return ncclSend(sent.view().row(to), count, ncclInt32, to, comm, stream_of(gpu));
  }
  ncclResult_t receive(int from, int count = 4) const {
    return ncclRecv(received.view().row(from), count, ncclInt32, from, comm, stream_of(gpu));
  }
  /// Sends to, and receives from, all others.
  ncclResult_t exchange() const { return exchange(sent, received, stream_of(gpu)); }
  /// The same of rows of other arrays, on another stream.
  ncclResult_t exchange(const Buffer<Cuda, int>& from, const Buffer<Cuda, int>& to, cudaStream_t stream) const {
    EXPECT_EQ(ncclGroupStart(), ncclSuccess);
    for (int peer = 0; peer < ranks; ++peer)
      if (peer != rank) {
        EXPECT_EQ(ncclSend(from.view().row(peer), from.view().cols, ncclInt32, peer, comm, stream), ncclSuccess);
        EXPECT_EQ(ncclRecv(to.view().row(peer), to.view().cols, ncclInt32, peer, comm, stream), ncclSuccess);
      }
    return ncclGroupEnd();
  }
  std::string error() const { return ncclGetLastError(comm); }

  int rank, ranks;
  Cuda gpu;
  Buffer<Cuda, int> sent, received;  ///< [ranks, 4] to and from each: 100 sender + 10 receiver + i
  std::function<void()> meet;
  ncclComm_t comm = nullptr;
};

/// Calls body(rank) in a thread for each rank.
inline void run_ranks(int ranks, const std::function<void(Rank&)>& body) {
  ncclUniqueId id{};
  EXPECT_EQ(ncclGetUniqueId(&id), ncclSuccess);
  std::barrier meeting(ranks);
  std::vector<std::jthread> threads;
  for (int r = 0; r < ranks; ++r)
    threads.emplace_back([&, r] {
      Rank rank(id, ranks, r, [&] { meeting.arrive_and_wait(); });
      body(rank);
    });
}

/// The same for one rank, in this thread.
inline void run_alone(const std::function<void(Rank&)>& body) {
  ncclUniqueId id{};
  EXPECT_EQ(ncclGetUniqueId(&id), ncclSuccess);
  Rank rank(id, 1, 0);
  body(rank);
}

/// In later ones a sender need not wait for its receiver, and so hears nothing of what becomes of its message.
inline constexpr unsigned kOrdersWithoutBuffers = 2;

/// Waits for the stream; returns why it has failed, or "none".
inline std::string stream_error(const Cuda& gpu) {
  try {
    gpu.synchronize();
  } catch (const simt::Error& error) {
    return error.what();
  }
  return "none";
}

}  // namespace sparsepush
