// Signals as a question that a run asks between two steps, and between the batches of a test.
#pragma once
#include <csignal>

namespace sparsepush {

/// While it lives, the first SIGINT or SIGTERM is only noted, so that a run can save its state; the second ends the
/// process at once. SIGUSR1 is noted as well: save, and go on. At most one may live at a time. The notes are the
/// program's only static state: a signal handler can reach nothing else.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();  ///< restores the handlers that were there before
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool stop_requested() const;
  /// Returns whether a SIGUSR1 has come since the last call.
  bool take_save_request();

 private:
  struct sigaction before_int_ {
  }, before_term_{}, before_usr1_{};
};

}  // namespace sparsepush
