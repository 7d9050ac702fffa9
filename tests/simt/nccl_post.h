// How ranks of the stand-in for NCCL that are processes tell each other what they do.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace simt::nccl {

/// What a rank tells another one. All but the last two are about the message number `number` from rank `from` to `to`.
struct Letter {
  enum class Kind {
    kPosted,   ///< its ncclSend or ncclRecv has been called, with these counts and types
    kBegun,    ///< the receiver's stream has come to it
    kBytes,    ///< the sender's stream has sent it; here it is
    kWanted,   ///< a stream waits for it, so the other one has to go on
    kFailed,   ///< it will not come; `bytes` say why
    kLeft,     ///< rank `from` has destroyed its communicator
    kAborted,  ///< or aborted it
  };
  Kind kind{};
  int from = 0, to = 0;
  long number = 0;
  bool of_sender = false;  ///< who writes is the sender of the message
  int type = 0;
  std::size_t count = 0;
  std::vector<unsigned char> bytes = {};
};

/// One rank's way to the others. Letters to one rank arrive in their order.
class Post {
 public:
  /// Returns when what was sent is on its way; nothing is taken any more.
  virtual ~Post() = default;
  /// Returns at once. Letters to a rank that is gone are lost.
  virtual void send(int to, const Letter& letter) = 0;
};

struct PostOptions {
  std::string id;  ///< of the ranks that belong together
  int ranks = 1, rank = 0;
  std::function<void(const Letter&)> take;  ///< called in another thread with each letter that arrives
};
/// Returns when all ranks are there. Throws Error if they do not agree how many they are, or two have the same number.
using OpenPost = std::unique_ptr<Post> (*)(const PostOptions& options);

/// Null: all ranks are threads of this process. A program whose ranks are processes links nccl_processes.cpp, which
/// sets it.
extern OpenPost open_post;

}  // namespace simt::nccl
