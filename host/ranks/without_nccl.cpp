// The transport of a program that is built without NCCL: it connects no GPUs, so that nothing below its constructor is
// ever called.
#include <stdexcept>

#include "host/ranks/nccl_transport.h"

namespace sparsepush {
namespace {
[[noreturn]] void refuse() { throw std::runtime_error("this program was built without NCCL"); }
}  // namespace

struct NcclTransport::Connection {};

bool nccl_is_available() { return false; }
NcclTransport::NcclTransport(Transport<Cuda>& control, const Cuda&) : control_(control) { refuse(); }
NcclTransport::~NcclTransport() = default;
void NcclTransport::start_exchange(const Cuda&, std::span<const ExchangedArray>, const Halo&) { refuse(); }
void NcclTransport::finish_exchange() { refuse(); }
void NcclTransport::send(int, std::span<const std::byte>) { refuse(); }
void NcclTransport::receive(int, std::span<std::byte>) { refuse(); }
void NcclTransport::broadcast(std::span<std::byte>) { refuse(); }
void NcclTransport::barrier() { refuse(); }

}  // namespace sparsepush
