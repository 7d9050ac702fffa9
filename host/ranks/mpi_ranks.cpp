// Processes that MPI connects: MPI 3.1, from the main thread alone.
#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "host/ranks/ranks.h"
#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kMostWait{1};      // of process 0, for the others to hear of its failure
constexpr std::chrono::minutes kMostEndWait{10};  // for the launcher to end all processes
constexpr int kDataTag = 0, kFailureTag = 1, kHeardTag = 2;
constexpr std::int64_t kMostAtOnce = 1 << 30;  // bytes of a message: MPI counts them in an int

void check_mpi(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int size = 0;
  MPI_Error_string(status, text.data(), &size);
  throw std::runtime_error(fmt::format("{}: {}", call, std::string_view(text.data(), size)));
}

std::string machine_name() {
  std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
  int size = 0;
  check_mpi(MPI_Get_processor_name(name.data(), &size), "MPI_Get_processor_name");
  return {name.data(), static_cast<std::size_t>(size)};
}

/// The processors that this process may use, as a text.
std::string own_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return "";  // more processors than a set holds
  return {reinterpret_cast<const char*>(&set), sizeof set};
}

/// Calls piece(first, count) for pieces of `bytes` that a message can hold.
template <class Piece>
void in_pieces(std::size_t bytes, const Piece& piece) {
  for (std::int64_t first = 0; first < static_cast<std::int64_t>(bytes); first += kMostAtOnce)
    piece(first, static_cast<int>(std::min(kMostAtOnce, static_cast<std::int64_t>(bytes) - first)));
}

}  // namespace

struct Ranks::Connection {
  MPI_Comm data = MPI_COMM_NULL, failures = MPI_COMM_NULL, here = MPI_COMM_NULL;
  MPI_Win shared = MPI_WIN_NULL;
  std::vector<std::string> machines;  ///< [ranks]
  bool broken = false;                ///< a process has failed
  std::string told;                   ///< of this one's failure; who has not heard yet still reads it
  std::vector<MPI_Request> exchange;  ///< what has been started

  /// Takes the news of a failure, if there are any.
  bool hear(Failure& failure) {
    int there = 0, size = 0;
    MPI_Status status;
    check_mpi(MPI_Iprobe(MPI_ANY_SOURCE, kFailureTag, failures, &there, &status), "MPI_Iprobe");
    if (there == 0) return false;
    MPI_Get_count(&status, MPI_CHAR, &size);
    std::string text(size, ' ');
    check_mpi(MPI_Recv(text.data(), size, MPI_CHAR, status.MPI_SOURCE, kFailureTag, failures, MPI_STATUS_IGNORE),
              "MPI_Recv");
    failure = {.kind = text.at(0) - '0', .text = text.substr(1), .rank = status.MPI_SOURCE};
    broken = true;
    MPI_Request heard = MPI_REQUEST_NULL;
    MPI_Isend(nullptr, 0, MPI_CHAR, status.MPI_SOURCE, kHeardTag, failures, &heard);
    MPI_Request_free(&heard);
    return true;
  }

  /// Waits for all of them. Once it has thrown, memory that requests still name may be gone: no call may follow but
  /// `tell` and those that end processes. Processes share processors, so it stands aside between two looks.
  void wait(std::span<MPI_Request> requests, Failure& failure) {
    for (int done = 0;;) {
      check_mpi(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE),
                "MPI_Testall");
      if (done != 0) return;
      if (hear(failure)) throw TransportAborted();
      sched_yield();
    }
  }
  void wait(MPI_Request request, Failure& failure) { wait(std::span(&request, 1), failure); }
};

std::string Ranks::description() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int size = 0;
  MPI_Get_library_version(text.data(), &size);
  const std::string_view all(text.data(), size);
  return fmt::format("processes: of a launcher, through {}\n", all.substr(0, all.find(',')));
}

Ranks::Ranks() : connection_(std::make_unique<Connection>()) {
  int level = 0;
  check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level), "MPI_Init_thread");
  if (level < MPI_THREAD_FUNNELED) throw std::runtime_error("this MPI does not allow a process to have threads");
  Connection& c = *connection_;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);  // and with it what is made of it: errors are thrown
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &c.data), "MPI_Comm_dup");
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &c.failures), "MPI_Comm_dup");
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &c.here),
            "MPI_Comm_split_type");
  MPI_Comm_rank(c.data, &rank_);
  MPI_Comm_size(c.data, &count_);
  MPI_Comm_rank(c.here, &rank_here_);
  MPI_Comm_size(c.here, &count_here_);
  if (count_ != launched() || rank_ != launched_rank())
    throw std::runtime_error(fmt::format(
        "the launcher has started {} processes, but MPI has joined {}: they do not know each other's ways (with srun, "
        "try --mpi=pmix)",
        launched(), count_));

  void* memory = nullptr;
  const MPI_Aint bytes = rank_here_ == 0 ? sizeof(std::atomic<int>) : 0;
  check_mpi(MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, c.here, &memory, &c.shared), "MPI_Win_allocate_shared");
  MPI_Aint size = 0;
  int unit = 0;
  check_mpi(MPI_Win_shared_query(c.shared, 0, &size, &unit, &memory), "MPI_Win_shared_query");
  flag_here_ = rank_here_ == 0 ? new (memory) std::atomic<int>(0) : static_cast<std::atomic<int>*>(memory);
  c.machines = all_texts(machine_name());
  const std::string own = c.machines[rank_] + '\n' + own_processors();
  sharing_ = static_cast<int>(std::ranges::count(all_texts(own), own));
}

Ranks::~Ranks() {
  Connection& c = *connection_;
  if (c.broken) await_end(1);
  MPI_Win_free(&c.shared);
  MPI_Comm_free(&c.here);
  MPI_Comm_free(&c.failures);
  MPI_Comm_free(&c.data);
  MPI_Finalize();
}

bool Ranks::broken() const { return connection_->broken; }

const std::string& Ranks::machine() const { return connection_->machines.at(rank_); }

std::string Ranks::name_of(int rank) const {
  return fmt::format("process {} of {}, on {}", rank, count_, connection_->machines.at(rank));
}

void Ranks::send(int to, std::span<const std::byte> bytes) {
  in_pieces(bytes.size(), [&](std::int64_t first, int count) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Issend(bytes.data() + first, count, MPI_BYTE, to, kDataTag, connection_->data, &request),
              "MPI_Issend");
    connection_->wait(request, failure_);
  });
}

void Ranks::receive(int from, std::span<std::byte> bytes) {
  in_pieces(bytes.size(), [&](std::int64_t first, int count) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Irecv(bytes.data() + first, count, MPI_BYTE, from, kDataTag, connection_->data, &request),
              "MPI_Irecv");
    connection_->wait(request, failure_);
  });
}

void Ranks::broadcast(std::span<std::byte> bytes) {
  in_pieces(bytes.size(), [&](std::int64_t first, int count) {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(bytes.data() + first, count, MPI_BYTE, 0, connection_->data, &request), "MPI_Ibcast");
    connection_->wait(request, failure_);
  });
}

void Ranks::barrier() {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(connection_->data, &request), "MPI_Ibarrier");
  connection_->wait(request, failure_);
}

void Ranks::start_exchange(std::span<const Parcel> sent, std::span<const Parcel> received) {
  std::vector<MPI_Request>& requests = connection_->exchange;
  const auto start = [&](std::span<const Parcel> parcels, const auto& call) {
    for (const Parcel& parcel : parcels)
      in_pieces(static_cast<std::size_t>(parcel.units * parcel.unit_bytes), [&](std::int64_t first, int count) {
        check_mpi(call(parcel.bytes + first, count, parcel.rank, &requests.emplace_back(MPI_REQUEST_NULL)),
                  "an exchange through MPI");
      });
  };
  start(received, [&](std::byte* bytes, int count, int from, MPI_Request* request) {
    return MPI_Irecv(bytes, count, MPI_BYTE, from, kDataTag, connection_->data, request);
  });
  start(sent, [&](const std::byte* bytes, int count, int to, MPI_Request* request) {
    return MPI_Isend(bytes, count, MPI_BYTE, to, kDataTag, connection_->data, request);
  });
}

void Ranks::finish_exchange() {
  connection_->wait(connection_->exchange, failure_);
  connection_->exchange.clear();
}

std::vector<std::string> Ranks::all_texts(const std::string& own) {
  std::vector<std::string> texts(count_);
  for (int rank = 0; rank < count_; ++rank) {
    auto size = static_cast<std::int64_t>(own.size());
    std::string& text = texts[rank];
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(&size, 1, MPI_INT64_T, rank, connection_->data, &request), "MPI_Ibcast");
    connection_->wait(request, failure_);
    text = own;
    text.resize(size);
    check_mpi(MPI_Ibcast(text.data(), static_cast<int>(size), MPI_CHAR, rank, connection_->data, &request),
              "MPI_Ibcast");
    connection_->wait(request, failure_);
  }
  return texts;
}

void Ranks::tell(const Failure& failure, std::chrono::seconds most_silence) {
  Connection& c = *connection_;
  c.broken = true;
  const std::string& text = c.told = std::to_string(failure.kind) + failure.text;
  std::vector<MPI_Request> requests;
  for (int other = 0; other < count_; ++other)
    if (other != rank_)
      MPI_Isend(text.data(), static_cast<int>(text.size()), MPI_CHAR, other, kFailureTag, c.failures,
                &requests.emplace_back(MPI_REQUEST_NULL));
  const auto start = Clock::now();
  for (int heard = 0, done = 0; heard == 0;) {  // if process 0 ends before, the launcher ends this one
    MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
    if (rank_ == 0) heard = done;  // or whoever does not listen is ended by `abort`
    if (rank_ == 0 && Clock::now() - start > kMostWait) return;
    if (rank_ > 0 && Clock::now() - start > most_silence) {
      is_unheard_ = true;
      return;
    }
    Failure other;
    if (rank_ > 0) MPI_Iprobe(0, kHeardTag, c.failures, &heard, MPI_STATUS_IGNORE);
    if (rank_ > 0 && heard == 0 && c.hear(other) && other.rank == 0) return;  // it has failed by itself
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void Ranks::abort(int code) {
  MPI_Abort(MPI_COMM_WORLD, code);
  _exit(code);
}

void Ranks::await_end(int code) {
  std::this_thread::sleep_for(kMostEndWait);
  _exit(code);
}

}  // namespace sparsepush
