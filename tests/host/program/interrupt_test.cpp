#include "host/program/interrupt.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sparsepush {
namespace {

/// The signal that ends a child process running `body`; 0 if it comes to its end.
template <class Body>
int deadly_signal(const Body& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST(Interrupt, TheFirstSignalIsNoted) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const Interrupt interrupt;
    EXPECT_FALSE(interrupt.stop_requested());
    raise(signal);
    EXPECT_TRUE(interrupt.stop_requested());
  }
}

TEST(Interrupt, AWishToSaveIsTakenOnce) {
  Interrupt interrupt;
  EXPECT_FALSE(interrupt.take_save_request());
  for (int i = 0; i < 3; ++i) raise(SIGUSR1);
  EXPECT_FALSE(interrupt.stop_requested());
  EXPECT_TRUE(interrupt.take_save_request());
  EXPECT_FALSE(interrupt.take_save_request());
  raise(SIGUSR1);
  EXPECT_TRUE(interrupt.take_save_request());
}

TEST(Interrupt, TheSecondSignalEndsTheProcess) {
  for (const int first : {SIGINT, SIGTERM}) {
    for (const int second : {SIGINT, SIGTERM}) {
      EXPECT_EQ(deadly_signal([&] {
                  const Interrupt interrupt;
                  raise(first);
                  raise(second);
                }),
                second);
    }
  }
}

TEST(Interrupt, SignalsEndTheProcessAfterIt) {
  EXPECT_EQ(deadly_signal([] {
              { const Interrupt interrupt; }
              raise(SIGINT);
            }),
            SIGINT);
  EXPECT_EQ(deadly_signal([] {
              const Interrupt interrupt;
              raise(SIGINT);
            }),
            0);
}

void ignore(int) {}

TEST(Interrupt, RestoresTheHandlersBefore) {
  const auto before = std::signal(SIGINT, ignore);
  {
    const Interrupt interrupt;
    raise(SIGINT);
  }
  EXPECT_EQ(std::signal(SIGINT, before), ignore);
}

}  // namespace
}  // namespace sparsepush
