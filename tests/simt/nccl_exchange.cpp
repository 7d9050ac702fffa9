#include "tests/simt/nccl_exchange.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/simt/simt.h"

namespace simt::nccl {

void Exchange::add(const Call& call, std::shared_ptr<Message> message) {
  parts_.push_back(
      {std::move(message), call.sends, std::make_unique<MemoryUse>(call.range(), call.access(), call.stream)});
}

void Exchange::begin() {
  if (!comm_.is_alive()) return;
  for (const Part& part : parts_) {
    part.use->begin();
    const Call& call = part.message->side[part.sends].call;
    if (!part.sends) std::memset(call.memory, 0xff, call.range().bytes);
    comm_.world->begin(*part.message, part.sends, part.sends && chosen(2) > 0);
  }
}

bool Exchange::is_blocked() const {
  bool all_done = true;
  for (const Part& part : parts_) {
    if (part.is_done()) continue;
    if (part.message->is_deliverable()) return false;
    all_done = false;
  }
  return !all_done;
}

Stream* Exchange::awaited() const {
  Stream* stream = nullptr;
  for (const Part& part : parts_) {
    if (part.is_done()) continue;
    Message& message = *part.message;
    const Side& other = message.side[!part.sends];
    const int peer = part.sends ? message.to : message.from;
    if (!message.failure.empty()) throw Error(message.failure);
    if (!other.posted && comm_.world->rank[peer] >= State::kLeft)
      throw Error("simulated NCCL: " + comm_.name() + " waits for rank " + std::to_string(peer) + ", which has left");
    if (comm_.world->is_between_processes(message))
      comm_.world->want(message);
    else if (other.posted)
      stream = other.call.stream;
  }
  return stream;
}

bool Exchange::advance() {
  std::vector<Part*> next;
  for (Part& part : parts_)
    if (!part.is_done() && part.message->is_deliverable()) next.push_back(&part);
  if (!next.empty()) {
    const Part& part = *next[chosen(static_cast<unsigned>(next.size()))];
    comm_.world->deliver(*part.message, part.sends);
  }
  for (Part& part : parts_)
    if (part.is_done()) part.use.reset();
  return std::ranges::all_of(parts_, &Part::is_done);
}

void Exchange::drop(const std::string& why) {
  for (const Part& part : parts_)
    if (!part.is_done()) comm_.world->fail(*part.message, why);
  gpu.notify();
}

}  // namespace simt::nccl
