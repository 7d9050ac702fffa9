// Ranks of the stand-in for NCCL as processes of one machine. As NCCL's they find each other by the unique id, without
// MPI, here through sockets that are named after it. A thread of each brings and takes letters, and lets streams go on
// for which another process waits.
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/simt/nccl_post.h"
#include "tests/simt/simt.h"

namespace simt::nccl {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::minutes kMostWait{2};  // for all ranks to come

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    close();
    number_ = std::exchange(other.number_, -1);
    return *this;
  }
  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void close() {
    if (is_open()) ::close(std::exchange(number_, -1));
  }

 private:
  int number_;
};

[[noreturn]] void fail(const std::string& what) { throw Error(what + ": " + std::strerror(errno)); }

Descriptor checked(int number, const char* call) {
  if (number < 0) fail(call);
  return Descriptor(number);
}

/// The address of a rank: a name that no file has.
struct Address {
  Address(const std::string& id, int rank) {
    const std::string name = "sparsepush, " + id + ", " + std::to_string(rank);
    std::copy_n(name.begin(), std::min(name.size(), sizeof address.sun_path - 1), address.sun_path + 1);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
};

Descriptor new_socket() { return checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"); }

void await(const Descriptor& descriptor, Clock::time_point until) {
  pollfd polled{descriptor.number(), POLLIN, 0};
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
  if (poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0)
    throw Error("ranks that have not come in two minutes");
}

/// What two ranks tell each other first.
struct Hello {
  int ranks, rank;
};

/// Returns the number of the rank at the other end.
int shake_hands(const Descriptor& peer, const Hello& own, Clock::time_point until) {
  Hello other{};
  if (::send(peer.number(), &own, sizeof own, MSG_NOSIGNAL) != sizeof own) throw Error("a rank that has gone");
  await(peer, until);
  if (recv(peer.number(), &other, sizeof other, MSG_WAITALL) != sizeof other) throw Error("a rank that has gone");
  if (other.ranks != own.ranks) throw Error("ranks that do not agree how many they are");
  return other.rank;
}

/// A letter as it travels; its bytes follow.
struct Head {
  Letter::Kind kind;
  int from, to;
  long number;
  bool of_sender;
  int type;
  std::size_t count, bytes;
};

std::vector<unsigned char> packed(const Letter& l) {
  const Head head{l.kind, l.from, l.to, l.number, l.of_sender, l.type, l.count, l.bytes.size()};
  std::vector<unsigned char> packed(sizeof head + l.bytes.size());
  std::memcpy(packed.data(), &head, sizeof head);
  std::ranges::copy(l.bytes, packed.begin() + sizeof head);
  return packed;
}

/// Takes the first letter off what has arrived, if it is all there.
std::optional<Letter> unpacked(std::vector<unsigned char>& arrived) {
  Head head{};
  if (arrived.size() < sizeof head) return {};
  std::memcpy(&head, arrived.data(), sizeof head);
  const std::size_t all = sizeof head + head.bytes;
  if (arrived.size() < all) return {};
  Letter letter{.kind = head.kind,
                .from = head.from,
                .to = head.to,
                .number = head.number,
                .of_sender = head.of_sender,
                .type = head.type,
                .count = head.count,
                .bytes = {arrived.begin() + sizeof head, arrived.begin() + static_cast<std::ptrdiff_t>(all)}};
  arrived.erase(arrived.begin(), arrived.begin() + static_cast<std::ptrdiff_t>(all));
  return letter;
}

class Sockets final : public Post {
 public:
  explicit Sockets(const PostOptions& options);
  ~Sockets() override;

  void send(int to, const Letter& letter) override {
    const std::lock_guard lock(mutex_);
    peers_[to].leaving.push_back(packed(letter));
    wake();
  }

 private:
  struct Peer {
    Descriptor socket;
    std::deque<std::vector<unsigned char>> leaving = {};  ///< guarded by mutex_
    std::size_t left = 0;                                 ///< bytes of the first of them that have gone
    std::vector<unsigned char> arrived = {};
  };
  void wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(!write(woken_.number(), &one, sizeof one));
  }
  void carry();
  /// Sends what goes without waiting; returns whether anything is left.
  bool send_to(Peer& peer);
  void receive_from(Peer& peer);

  std::function<void(const Letter&)> take_;
  std::vector<Peer> peers_;  ///< [ranks]; who is gone has no socket
  Descriptor woken_;
  std::mutex mutex_;
  bool ends_ = false;
  std::thread carrier_;
};

Sockets::Sockets(const PostOptions& options) : take_(options.take), peers_(options.ranks) {
  const auto until = Clock::now() + kMostWait;
  const Hello own{options.ranks, options.rank};
  const Descriptor door = new_socket();
  const Address address(options.id, options.rank);
  if (bind(door.number(), address.get(), sizeof address.address) != 0) {
    if (errno != EADDRINUSE) fail("bind");
    throw Error("rank " + std::to_string(options.rank) + " of " + std::to_string(options.ranks) + " is there already");
  }
  if (listen(door.number(), options.ranks) != 0) fail("listen");
  for (int lower = 0; lower < options.rank; ++lower) {
    Descriptor& socket = peers_[lower].socket = new_socket();
    const Address there(options.id, lower);
    while (connect(socket.number(), there.get(), sizeof there.address) != 0) {
      if (errno != ECONNREFUSED && errno != EAGAIN) fail("connect");
      if (Clock::now() > until) throw Error("ranks that have not come in two minutes");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    shake_hands(socket, own, until);
  }
  for (int higher = options.rank + 1; higher < options.ranks; ++higher) {
    await(door, until);
    Descriptor socket = checked(accept4(door.number(), nullptr, nullptr, SOCK_CLOEXEC), "accept");
    const int rank = shake_hands(socket, own, until);
    peers_.at(rank).socket = std::move(socket);
  }
  for (const Peer& peer : peers_)
    if (peer.socket.is_open()) fcntl(peer.socket.number(), F_SETFL, O_NONBLOCK);
  woken_ = checked(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  carrier_ = std::thread([this] { carry(); });
}

Sockets::~Sockets() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
    wake();
  }
  carrier_.join();
}

void Sockets::carry() {
  for (;;) {
    std::vector<pollfd> polled{{woken_.number(), POLLIN, 0}};
    bool ends = false;
    {
      const std::lock_guard lock(mutex_);
      bool is_left = false;
      for (Peer& peer : peers_) {
        const bool more = send_to(peer);
        is_left = is_left || more;
        polled.push_back({peer.socket.number(), static_cast<short>(more ? POLLIN | POLLOUT : POLLIN), 0});
      }
      ends = ends_ && !is_left;
    }
    if (ends) return;
    poll(polled.data(), polled.size(), -1);
    std::uint64_t count = 0;
    static_cast<void>(!read(woken_.number(), &count, sizeof count));
    for (std::size_t rank = 0; rank < peers_.size(); ++rank)
      if ((polled[rank + 1].revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive_from(peers_[rank]);
  }
}

bool Sockets::send_to(Peer& peer) {
  while (peer.socket.is_open() && !peer.leaving.empty()) {
    const std::vector<unsigned char>& first = peer.leaving.front();
    const ssize_t sent = ::send(peer.socket.number(), first.data() + peer.left, first.size() - peer.left, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (sent < 0) break;  // it is gone
    peer.left += static_cast<std::size_t>(sent);
    if (peer.left < first.size()) continue;
    peer.leaving.pop_front();
    peer.left = 0;
  }
  peer.leaving.clear();
  peer.left = 0;
  return false;
}

/// A rank that is gone without a word has been killed: as with NCCL, others wait until they are ended too.
void Sockets::receive_from(Peer& peer) {
  if (!peer.socket.is_open()) return;
  std::vector<unsigned char> part(std::size_t{1} << 16);
  const ssize_t received = recv(peer.socket.number(), part.data(), part.size(), 0);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received <= 0) return peer.socket.close();
  peer.arrived.insert(peer.arrived.end(), part.begin(), part.begin() + received);
  while (const std::optional<Letter> letter = unpacked(peer.arrived)) take_(*letter);
}

[[maybe_unused]] const bool is_set = [] {
  open_post = [](const PostOptions& options) -> std::unique_ptr<Post> { return std::make_unique<Sockets>(options); };
  return true;
}();

}  // namespace
}  // namespace simt::nccl
