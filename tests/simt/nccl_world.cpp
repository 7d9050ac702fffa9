#include "tests/simt/nccl_world.h"

#include <cstring>
#include <exception>
#include <mutex>

#include "tests/simt/simt.h"
#include "tests/simt/streams.h"

namespace simt::nccl {

OpenPost open_post = nullptr;

namespace {

std::vector<unsigned char> bytes_of(const MemoryRange& range) {
  const auto* first = static_cast<const unsigned char*>(range.first);
  return {first, first + range.bytes};
}

}  // namespace

std::string Message::difference(int ranks) const {
  const Call &sent = side[1].call, &received = side[0].call;
  if (!side[0].posted || !side[1].posted || (sent.count == received.count && sent.type == received.type)) return {};
  return "message " + std::to_string(number) + " from rank " + std::to_string(from) + " to rank " + std::to_string(to) +
         " of " + std::to_string(ranks) + " has " + std::to_string(sent.count) + " elements of type " +
         std::to_string(sent.type) + ", awaited are " + std::to_string(received.count) + " of type " +
         std::to_string(received.type);
}

void World::connect(const std::string& id, int own) {
  own_ = own;
  std::unique_ptr<Post> post;
  if (ranks() > 1)
    post = open_post({.id = id, .ranks = ranks(), .rank = own, .take = [this](const Letter& letter) { take(letter); }});
  const std::lock_guard lock(gpu);
  post_ = std::move(post);
  for (State& state : rank)
    if (state == State::kAway) state = State::kThere;
}

std::shared_ptr<Message> World::post(const Call& call, std::string& refusal) {
  forget_done();
  const int from = call.from(), to = call.to();
  const long number = posted_[call.sends][{from, to}]++;
  std::shared_ptr<Message>& there = open_[{from, to, number}];
  if (!there) there = std::make_shared<Message>(Message{.from = from, .to = to, .number = number});
  const std::shared_ptr<Message> message = there;
  message->side[call.sends] = {.call = call, .posted = true};
  if (is_between_processes(*message))
    tell(*message, Letter::Kind::kPosted);
  else if (message->side[!call.sends].posted)
    open_.erase({from, to, number});
  if (refusal.empty()) refusal = message->difference(ranks());
  return message;
}

void World::begin(Message& message, bool by_sender, bool buffers) {
  Side& own = message.side[by_sender];
  own.begun = true;
  if (by_sender && buffers) {
    message.is_buffered = true;
    std::vector<unsigned char> bytes = bytes_of(own.call.range());
    if (is_between_processes(message))
      tell(message, Letter::Kind::kBytes, std::move(bytes));
    else
      message.buffer = std::move(bytes);
  } else if (!by_sender && is_between_processes(message)) {
    tell(message, Letter::Kind::kBegun);
  }
}

void World::deliver(Message& message, bool by_sender) {
  const MemoryRange sent = message.side[1].call.range();
  if (is_between_processes(message) && by_sender) {
    tell(message, Letter::Kind::kBytes, bytes_of(sent));
  } else {
    const MemoryRange received = message.side[0].call.range();
    std::memcpy(message.side[0].call.memory, message.is_buffered ? message.buffer.data() : sent.first, received.bytes);
    message.buffer = {};
  }
  message.delivered = true;
}

void World::fail(Message& message, const std::string& why) {
  if (!message.failure.empty()) return;
  message.failure = why;
  if (is_between_processes(message)) tell(message, Letter::Kind::kFailed, {why.begin(), why.end()});
}

void World::want(Message& message) {
  if (std::exchange(message.is_asked_for, true)) return;
  tell(message, Letter::Kind::kWanted);
}

void World::serve() {
  std::erase_if(wanted_, [this](const auto& message) { return give(*message); });
}

std::unique_ptr<Post> World::leave(int r, State state) {
  rank[r] = state;
  if (post_) {
    for (int other = 0; other < ranks(); ++other)
      if (other != r)
        post_->send(other, {.kind = state == State::kLeft ? Letter::Kind::kLeft : Letter::Kind::kAborted, .from = r});
  }
  return std::move(post_);
}

void World::tell(const Message& message, Letter::Kind kind, std::vector<unsigned char> bytes) {
  if (!post_) return;
  const bool sends = message.from == own_;
  const Call& call = message.side[sends].call;
  post_->send(sends ? message.to : message.from, {.kind = kind,
                                                  .from = message.from,
                                                  .to = message.to,
                                                  .number = message.number,
                                                  .of_sender = sends,
                                                  .type = call.type,
                                                  .count = call.count,
                                                  .bytes = std::move(bytes)});
}

void World::take(const Letter& letter) {
  const std::lock_guard lock(gpu);
  if (letter.kind == Letter::Kind::kLeft)
    rank[letter.from] = State::kLeft;
  else if (letter.kind == Letter::Kind::kAborted)
    rank[letter.from] = State::kAborted;
  else if (const auto message = message_of(letter))
    take(letter, *message);
  serve();
  gpu.notify();
}

std::shared_ptr<Message> World::message_of(const Letter& letter) {
  const Key key{letter.from, letter.to, letter.number};
  if (const auto found = open_.find(key); found != open_.end()) return found->second;
  if (letter.number < posted(!letter.of_sender, letter.from, letter.to)) return nullptr;
  return open_[key] = std::make_shared<Message>(Message{.from = letter.from, .to = letter.to, .number = letter.number});
}

void World::take(const Letter& letter, Message& message) {
  Side& other = message.side[letter.of_sender];
  switch (letter.kind) {
    case Letter::Kind::kPosted:
      ++posted_[letter.of_sender][{letter.from, letter.to}];
      other.posted = true;
      other.call.count = letter.count;
      other.call.type = static_cast<ncclDataType_t>(letter.type);
      if (const std::string why = message.difference(ranks()); !why.empty() && message.failure.empty())
        message.failure = "simulated NCCL: " + why;  // the other process finds it too
      break;
    case Letter::Kind::kBytes:
      message.buffer = letter.bytes;
      message.is_buffered = true;
      [[fallthrough]];
    case Letter::Kind::kBegun:
      other.begun = true;
      break;
    case Letter::Kind::kWanted:
      wanted_.push_back(open_.at({letter.from, letter.to, letter.number}));
      break;
    default:
      if (message.failure.empty()) message.failure.assign(letter.bytes.begin(), letter.bytes.end());
  }
}

bool World::give(Message& message) const {
  const bool sends = message.from == own_;
  const Side& own = message.side[sends];
  const auto is_given = [&] {
    return !message.failure.empty() || (sends ? message.is_done(true) : message.side[0].begun);
  };
  while (own.posted && !is_given()) {
    Stream& stream = *own.call.stream;
    try {
      if (!stream.has_work() || !stream.advance()) return false;
    } catch (const std::exception& error) {  // of its work; who waits for the stream hears of it
      stream.fail(error.what());
    }
  }
  return is_given();
}

void World::forget_done() {
  std::erase_if(open_, [this](const auto& entry) {
    const Message& message = *entry.second;
    const bool is_done = !message.failure.empty() || message.is_done(message.from == own_);
    return message.side[0].posted && message.side[1].posted && is_done;
  });
}

}  // namespace simt::nccl
