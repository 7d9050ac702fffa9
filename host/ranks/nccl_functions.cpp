// NCCL's functions, each found in its library when it is called: a program that may use them starts where the library,
// which is large, is missing.
#include <dlfcn.h>
#include <nccl.h>

#include <stdexcept>
#include <string>
#include <type_traits>

#include "host/ranks/nccl_transport.h"

namespace sparsepush {
namespace {

/// Returns the library, or null if it is not there.
void* library() {
  static void* const loaded = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
  return loaded;
}

/// Calls the library's function of this name, which is declared like the one that is given.
template <class Result, class... Params>
Result pass_on(const char* name, Result (*)(Params...), std::type_identity_t<Params>... args) {
  void* const found = library() == nullptr ? nullptr : dlsym(library(), name);
  if (found == nullptr) throw std::runtime_error(std::string("libnccl.so.2 is not there, or has no ") + name);
  return reinterpret_cast<Result (*)(Params...)>(found)(args...);
}

}  // namespace

bool nccl_is_available() { return library() != nullptr; }

}  // namespace sparsepush

using sparsepush::pass_on;

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) { return pass_on("ncclGetUniqueId", &ncclGetUniqueId, id); }
ncclResult_t ncclCommInitRank(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank) {
  return pass_on("ncclCommInitRank", &ncclCommInitRank, comm, ranks, id, rank);
}
ncclResult_t ncclCommDestroy(ncclComm_t comm) { return pass_on("ncclCommDestroy", &ncclCommDestroy, comm); }
ncclResult_t ncclCommAbort(ncclComm_t comm) { return pass_on("ncclCommAbort", &ncclCommAbort, comm); }
const char* ncclGetErrorString(ncclResult_t result) {
  return pass_on("ncclGetErrorString", &ncclGetErrorString, result);
}
const char* ncclGetLastError(ncclComm_t comm) { return pass_on("ncclGetLastError", &ncclGetLastError, comm); }
ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  return pass_on("ncclCommGetAsyncError", &ncclCommGetAsyncError, comm, error);
}
ncclResult_t ncclGroupStart() { return pass_on("ncclGroupStart", &ncclGroupStart); }
ncclResult_t ncclGroupEnd() { return pass_on("ncclGroupEnd", &ncclGroupEnd); }
ncclResult_t ncclSend(const void* bytes, size_t count, ncclDataType_t type, int to, ncclComm_t comm,
                      cudaStream_t stream) {
  return pass_on("ncclSend", &ncclSend, bytes, count, type, to, comm, stream);
}
ncclResult_t ncclRecv(void* bytes, size_t count, ncclDataType_t type, int from, ncclComm_t comm, cudaStream_t stream) {
  return pass_on("ncclRecv", &ncclRecv, bytes, count, type, from, comm, stream);
}
