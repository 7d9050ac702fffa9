// The processes that a launcher, such as mpirun, has started together to do one run.
#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/transports/transport.h"

namespace sparsepush {

/// Why a process gives up, for the others. What `kind` means is the caller's affair.
struct Failure {
  int kind = 0;  ///< 0 to 9
  std::string text;
  int rank = 0;  ///< whose it is
};

/// Bytes for, or from, one other process.
struct Parcel {
  int rank = 0;
  std::byte* bytes = nullptr;  ///< in host memory
  std::int64_t units = 0;      ///< of `unit_bytes` each
  std::int64_t unit_bytes = 0;
};

/// This process among those. At most one may live at a time; its calls are for the thread that made it. A program that
/// is built without MPI links without_mpi.cpp instead, where every process is alone. All waits throw TransportAborted
/// once another process has failed: `failure` has why.
class Ranks {
 public:
  /// Returns how many processes the launcher says that it has started, without joining them; 1 without a launcher.
  static int launched();
  /// Returns the rank that the launcher has given this process, likewise.
  static int launched_rank();
  /// Returns the launcher's command for so many processes, such as "mpirun -np 4".
  static std::string launch_command(int count);
  /// Describes what this program can join, as a line of its version.
  static std::string description();
  static constexpr std::chrono::seconds kMostSilence{30};  ///< of process 0, for another to be heard by it

  /// Joins the others, each of which must do the same. Throws std::runtime_error if this program cannot.
  Ranks();
  /// Leaves them.
  ~Ranks();
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  int rank() const { return rank_; }
  int count() const { return count_; }
  /// Return the number of this process among those on its machine, and how many these are.
  int rank_here() const { return rank_here_; }
  int count_here() const { return count_here_; }
  /// Returns how many of those on its machine may use the same processors as this process, itself included.
  int sharing() const { return sharing_; }
  /// Returns whether a process has told a failure: all that is left is `abort` or `await_end`.
  bool broken() const;
  /// Notes that all processes fail alike, each knowing it of the others; and returns whether they do.
  void fail_alike() { fails_alike_ = true; }
  bool fails_alike() const { return fails_alike_; }
  /// Names this machine.
  const std::string& machine() const;
  /// Names process `rank` for messages, such as "process 2 of 4, on machine b".
  std::string name_of(int rank) const;

  void send(int to, std::span<const std::byte> bytes);
  void receive(int from, std::span<std::byte> bytes);
  void broadcast(std::span<std::byte> bytes);
  void barrier();
  /// Starts to send and receive parcels, all at once. Those that one process sends to another arrive in their order.
  /// Empty ones do not travel. Their bytes may not be touched before `finish_exchange`, which is to be called next.
  void start_exchange(std::span<const Parcel> sent, std::span<const Parcel> received);
  /// Waits for all of these parcels.
  void finish_exchange();
  /// Collects everybody's text, in the order of ranks, in every process.
  std::vector<std::string> all_texts(const std::string& own);

  /// Tells the others that this process has failed, and returns when process 0 knows: once it waits for something. It
  /// may wait for its GPU, and that for this process: then this returns after `most_silence`, unheard. The process then
  /// ends by `abort` or `await_end`, and does nothing else here: what was under way stays so.
  void tell(const Failure& failure, std::chrono::seconds most_silence = kMostSilence);
  /// Returns whether it is for this process to print what failed and to `abort`: process 0, or one that it has not
  /// heard.
  bool ends_all() const { return rank_ == 0 || is_unheard_; }
  /// Returns the failure that another process has told.
  const Failure& failure() const { return failure_; }
  /// Ends all processes: the launcher exits with `code`, which is not 0.
  [[noreturn]] void abort(int code);
  /// Waits for another process to call `abort`; ends this one if none does.
  [[noreturn]] void await_end(int code);

  /// A flag that the processes on this machine share, clear at first. A signal handler may use it.
  std::atomic<int>& flag_here() { return *flag_here_; }

 private:
  struct Connection;

  std::unique_ptr<Connection> connection_;
  int rank_ = 0, count_ = 1, rank_here_ = 0, count_here_ = 1, sharing_ = 1;
  bool fails_alike_ = false, is_unheard_ = false;
  Failure failure_;
  std::atomic<int>* flag_here_ = nullptr;
};

}  // namespace sparsepush
