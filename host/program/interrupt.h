// Ctrl-C as a question that a run asks between two steps.
#pragma once
#include <csignal>

namespace sparsepush {

/// While it lives, the first SIGINT or SIGTERM is only noted, so that a run can save its state; the second ends the
/// process at once. At most one may live at a time. The note is the program's only static state: a signal handler can
/// reach nothing else.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();  ///< restores the handlers that were there before
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool requested() const;

 private:
  struct sigaction before_int_ {
  }, before_term_{};
};

}  // namespace sparsepush
