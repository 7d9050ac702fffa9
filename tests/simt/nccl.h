// Stands in for NCCL where host/ranks/nccl_transport.cpp is compiled for the simulated GPU: what is used of it and
// nothing else. Ranks are threads of this process, or, in programs that link nccl_processes.cpp, processes of one
// machine. A call that breaks a rule returns an error, and ncclGetLastError says which rule; README.md lists them.
// Memory that is to be received holds 0xff bytes from when its stream comes to the exchange until the message arrives,
// which it does part by part, in orders that simt::stream_order chooses.
//
// Between processes, what one does is known to another when its letter arrives. So a send or receive outside of a group
// is refused unless its other side is known; of two that disagree about a message, who knows of the other's call is
// refused, and a stream fails if its call went through before. Streams that wait for each other fail at once between
// threads, between processes after two minutes. Who waits for a process that was killed waits as long: as with NCCL,
// the launcher has to end it. Everything else is checked alike.
#pragma once
#include <cuda_runtime.h>

#include <cstddef>

enum ncclResult_t {
  ncclSuccess = 0,
  ncclInvalidArgument = 4,
  ncclInvalidUsage = 5,
  ncclRemoteError = 6,
};
enum ncclDataType_t { ncclUint8 = 1, ncclInt32 = 2 };
using ncclComm_t = struct ncclComm*;
struct ncclUniqueId {
  char internal[128];
};

ncclResult_t ncclGetUniqueId(ncclUniqueId* id);
/// Returns when all ranks have called it.
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank);
ncclResult_t ncclCommDestroy(ncclComm_t comm);
/// Drops what the rank has not sent or received. Streams of others that wait for it fail, which NCCL does not promise.
ncclResult_t ncclCommAbort(ncclComm_t comm);
/// Tells ncclRemoteError when another rank has aborted.
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error);

ncclResult_t ncclSend(const void* memory, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream);
ncclResult_t ncclRecv(void* memory, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream);
ncclResult_t ncclGroupStart();
ncclResult_t ncclGroupEnd();

const char* ncclGetErrorString(ncclResult_t result);
/// Says what was wrong with this thread's last call that returned an error.
const char* ncclGetLastError(ncclComm_t comm);

namespace simt {
/// How many ranks are there that have neither left nor aborted.
int nccl_ranks();
}  // namespace simt
