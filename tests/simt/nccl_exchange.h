// What a group of the stand-in's calls puts on its stream.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tests/simt/memory_use.h"
#include "tests/simt/nccl_world.h"
#include "tests/simt/streams.h"

namespace simt::nccl {

/// The calls of one group, as work of their stream.
class Exchange : public Joint {
 public:
  explicit Exchange(const ncclComm& comm) : comm_(comm) {}

  void add(const Call& call, std::shared_ptr<Message> message);
  /// To be called when the stream has come to it.
  void begin();

  bool is_blocked() const override;
  Stream* awaited() const override;
  bool advance() override;
  void drop(const std::string& why) override;

 private:
  struct Part {
    std::shared_ptr<Message> message;
    bool sends;
    std::unique_ptr<MemoryUse> use;
    bool is_done() const { return message->is_done(sends); }
  };
  const ncclComm& comm_;
  std::vector<Part> parts_;
};

}  // namespace simt::nccl
