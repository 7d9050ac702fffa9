// The ranks of a program that is built without MPI: it cannot join others, so that nothing below its constructor is
// ever called.
#include <cstdlib>
#include <stdexcept>

#include "host/ranks/ranks.h"

namespace sparsepush {
namespace {
[[noreturn]] void refuse() {
  throw std::runtime_error("this program was built without MPI, and cannot join the processes of a launcher");
}
}  // namespace

struct Ranks::Connection {};

std::string Ranks::description() { return "processes: one (built without MPI)\n"; }
Ranks::Ranks() { refuse(); }
Ranks::~Ranks() = default;
const std::string& Ranks::machine() const { refuse(); }
std::string Ranks::name_of(int) const { refuse(); }
bool Ranks::broken() const { refuse(); }
void Ranks::send(int, std::span<const std::byte>) { refuse(); }
void Ranks::receive(int, std::span<std::byte>) { refuse(); }
void Ranks::broadcast(std::span<std::byte>) { refuse(); }
void Ranks::barrier() { refuse(); }
void Ranks::start_exchange(std::span<const Parcel>, std::span<const Parcel>) { refuse(); }
void Ranks::finish_exchange() { refuse(); }
std::vector<std::string> Ranks::all_texts(const std::string&) { refuse(); }
void Ranks::tell(const Failure&, std::chrono::seconds) { refuse(); }
void Ranks::abort(int) { refuse(); }
void Ranks::await_end(int) { refuse(); }

}  // namespace sparsepush
