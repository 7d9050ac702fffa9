// Two queues of a backend, its ops and its uploads, and the events by which one waits for the other.
#pragma once
#include <memory>

#include "kernels/backend/backend.h"

namespace sparsepush {

enum class Queue {
  kOps,      ///< all ops, in the order of their calls
  kUploads,  ///< what StagedArray::upload copies, in the order of its calls
};

/// A point in a queue. One that was never recorded is waited for by nobody.
template <class Backend>
class Event;

/// On the Cpu everything has been done when its call returns.
template <>
class Event<Cpu> {
 public:
  explicit Event(const Cpu&) {}
  void record(Queue) {}
};
inline void wait_for(Queue, const Event<Cpu>&) {}
inline void wait_for(const Event<Cpu>&) {}

template <>
class Event<Cuda> {
 public:
  explicit Event(const Cuda& gpu);

  /// Puts the event behind all that the queue has been given so far; not within recorded work.
  void record(Queue queue);

 private:
  friend void wait_for(Queue queue, const Event& event);
  friend void wait_for(const Event& event);
  struct Destroy {
    void operator()(void* event) const noexcept;
  };
  const Cuda* gpu_;
  std::unique_ptr<void, Destroy> event_;  ///< a cudaEvent_t
};
/// Lets what the queue is given from now on happen behind the event; the host goes on. Not within recorded work.
void wait_for(Queue queue, const Event<Cuda>& event);
/// Returns when the event has happened.
void wait_for(const Event<Cuda>& event);

}  // namespace sparsepush
