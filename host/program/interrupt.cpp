#include "host/program/interrupt.h"

#include <atomic>

namespace sparsepush {
namespace {

constinit std::atomic<bool> interrupted = false, save_wanted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "signal handlers must not lock");

void note_and_stand_aside(int) {
  interrupted = true;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

void note_wish_to_save(int) { save_wanted = true; }

}  // namespace

Interrupt::Interrupt() {
  interrupted = false;
  save_wanted = false;
  struct sigaction action {};
  action.sa_handler = note_and_stand_aside;
  action.sa_flags = SA_RESTART;  // a write that is under way goes on
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &before_int_);
  sigaction(SIGTERM, &action, &before_term_);
  action.sa_handler = note_wish_to_save;
  sigaction(SIGUSR1, &action, &before_usr1_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &before_int_, nullptr);
  sigaction(SIGTERM, &before_term_, nullptr);
  sigaction(SIGUSR1, &before_usr1_, nullptr);
}

bool Interrupt::stop_requested() const { return interrupted; }

bool Interrupt::take_save_request() { return save_wanted.exchange(false); }

}  // namespace sparsepush
