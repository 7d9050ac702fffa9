// The ranks of the stand-in for NCCL, and the messages between them.
#pragma once
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/simt/memory_use.h"
#include "tests/simt/nccl.h"
#include "tests/simt/nccl_post.h"

namespace simt::nccl {

/// An argument list of ncclSend or ncclRecv.
struct Call {
  ncclComm_t comm = nullptr;
  bool sends = false;
  void* memory = nullptr;
  std::size_t count = 0;
  ncclDataType_t type = ncclUint8;
  int peer = 0;
  cudaStream_t stream = nullptr;

  MemoryRange range() const { return {memory, count * (type == ncclInt32 ? 4 : 1)}; }
  Access access() const { return sends ? Access::kRead : Access::kWrite; }
  int from() const;
  int to() const;
};

/// Of another process's call only count and type are known.
struct Side {
  Call call{};
  bool posted = false, begun = false;
};

/// The n-th message from one rank to another: their n-th ncclSend and ncclRecv.
struct Message {
  int from = 0, to = 0;
  long number = 0;
  Side side[2] = {};  ///< the receiver's, the sender's
  bool delivered = false, is_buffered = false;
  bool is_asked_for = false;               ///< another process knows that it is waited for
  std::vector<unsigned char> buffer = {};  ///< what was sent, if the sender has not waited for the receiver
  std::string failure = {};                ///< why it will not arrive

  bool is_done(bool for_sender) const { return delivered || (for_sender && is_buffered); }
  bool is_deliverable() const { return failure.empty() && side[0].begun && side[1].begun; }
  /// What is wrong with both sides together.
  std::string difference(int ranks) const;
};

enum class State { kAway, kThere, kLeft, kAborted };

/// The ranks of one unique id. Threads share it. A rank that is a process has its own, which knows of other ranks what
/// they tell by letters: a message between processes is one in each of them. Used by who holds `gpu`.
class World {
 public:
  explicit World(int ranks) : rank(ranks, State::kAway) {}
  /// Connects this process, as rank `own`, to those of the others; called without `gpu`. Throws Error if they do not
  /// fit.
  void connect(const std::string& id, int own);

  int ranks() const { return static_cast<int>(rank.size()); }
  std::string name(int r) const { return "rank " + std::to_string(r) + " of " + std::to_string(ranks()); }
  /// Returns how many sends, or receives, from one rank to another have been called, as far as is known here.
  long posted(bool sends, int from, int to) { return posted_[sends][{from, to}]; }

  /// Makes a call one side of its message; `refusal` becomes what is wrong with both sides together.
  std::shared_ptr<Message> post(const Call& call, std::string& refusal);
  /// To be called when a side's stream has come to it; the sender need not wait for the receiver if it `buffers`.
  void begin(Message& message, bool by_sender, bool buffers);
  /// Brings a deliverable message to the receiver, or on its way there.
  void deliver(Message& message, bool by_sender);
  /// Has the message fail on both sides.
  void fail(Message& message, const std::string& why);
  bool is_between_processes(const Message& message) const { return own_ >= 0 && message.from != message.to; }
  /// Lets the other process know that a stream waits for the message.
  void want(Message& message);
  /// Lets streams go on for which other processes wait, as far as they can.
  void serve();
  /// Says that the rank, which is this process if ranks are processes, has left or aborted; returns what is to be
  /// destroyed when `gpu` is free.
  [[nodiscard]] std::unique_ptr<Post> leave(int r, State state);

  std::vector<State> rank;

 private:
  using Key = std::tuple<int, int, long>;

  void tell(const Message& message, Letter::Kind kind, std::vector<unsigned char> bytes = {});
  void take(const Letter& letter);
  /// Returns the message of a letter; null if this process has done with it.
  std::shared_ptr<Message> message_of(const Letter& letter);
  void take(const Letter& letter, Message& message);
  /// Lets this process's stream go on to its part of the message; returns whether that is done, or will never be.
  bool give(Message& message) const;
  /// Forgets messages with which this process has done.
  void forget_done();

  int own_ = -1;                                   ///< this process's rank, where ranks are processes
  std::map<Key, std::shared_ptr<Message>> open_;   ///< of which one side is missing; between processes, those not done
  std::map<std::pair<int, int>, long> posted_[2];  ///< [receives, sends] from one rank to another
  std::vector<std::shared_ptr<Message>> wanted_;   ///< by other processes
  std::unique_ptr<Post> post_;                     ///< last, since its thread uses the others
};

class Exchange;

}  // namespace simt::nccl

struct ncclComm {
  std::shared_ptr<simt::nccl::World> world;
  int rank = 0;
  std::vector<std::weak_ptr<simt::nccl::Exchange>> exchanges = {};

  bool is_alive() const { return world->rank[rank] == simt::nccl::State::kThere; }
  std::string name() const { return world->name(rank); }
};

inline int simt::nccl::Call::from() const { return sends ? comm->rank : peer; }
inline int simt::nccl::Call::to() const { return sends ? peer : comm->rank; }
