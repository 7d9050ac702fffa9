// Work that is done again and again with the same arguments: on a GPU, CUDA graphs with calls of the host between them.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "kernels/backend/backend.h"

namespace sparsepush {

/// Keeps recordings of work by number. Who does the work need not know whether it is recorded.
template <class Backend>
class RepeatedWork;

/// On the Cpu calling an op costs nothing that a recording could save.
template <>
class RepeatedWork<Cpu> {
 public:
  /// Calls `work` the first time, and later, under the same number, does the same again: ops with the same arguments
  /// and host calls in the same order. What differs from time to time the ops must read from backend memory, and `work`
  /// may not wait for them. `step` is the host's number of the step. Within other work it is a part of that.
  void run(const Cpu&, int /*recording*/, std::int64_t step, const std::function<void()>& work) {
    run_unrecorded(step, work);
  }
  /// Calls `work`, and with it its host calls.
  void run_unrecorded(std::int64_t step, const std::function<void()>& work) {
    step_ = step;
    work();
  }
  /// Calls call(step) at this place of `work` each time; what was launched before it has been launched by then. It is
  /// kept, so it may refer to what outlives the recordings only. It may do anything but begin work of its own.
  /// Elsewhere: calls it with the last step. If the first thing that work does is a host call and that throws, nothing
  /// has happened, and the same run may be tried again.
  void host_call(const std::function<void(std::int64_t step)>& call) { call(step_); }
  /// Makes the next runs record their work anew.
  void forget() {}

 private:
  std::int64_t step_ = 0;
};

template <>
class RepeatedWork<Cuda> {
 public:
  /// Runs `work`, or repeats it. What is being recorded is launched graph by graph, each before the host call behind
  /// it.
  void run(const Cuda& gpu, int recording, std::int64_t step, const std::function<void()>& work);
  void run_unrecorded(std::int64_t step, const std::function<void()>& work);
  void host_call(std::function<void(std::int64_t step)> call);
  void forget() { recordings_.clear(); }

 private:
  struct Destroy {
    void operator()(void* graph) const noexcept;
  };
  /// One of both.
  struct Action {
    std::unique_ptr<void, Destroy> graph;  ///< a cudaGraphExec_t
    std::function<void(std::int64_t step)> call;
  };
  using Recording = std::vector<Action>;

  /// The recording that is being made, while the stream notes its work.
  struct Making {
    const Cuda* gpu;
    Recording* recording;
  };
  void make(const Cuda& gpu, Recording& recording, const std::function<void()>& work);
  void begin_graph(const Making& making);
  /// Launches what was noted.
  void end_graph();

  std::map<int, Recording> recordings_;
  Making making_{};
  std::int64_t step_ = 0;
};

}  // namespace sparsepush
