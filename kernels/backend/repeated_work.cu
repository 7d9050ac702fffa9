#include <utility>

#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/repeated_work.h"

namespace sparsepush {
namespace {

cudaGraphExec_t handle_of(void* graph) { return static_cast<cudaGraphExec_t>(graph); }

/// Ends what begin_graph began.
cudaGraph_t end_capture(const Cuda& gpu) {
  cudaGraph_t graph = nullptr;
  check_cuda(cudaStreamEndCapture(stream_of(gpu), &graph), "cudaStreamEndCapture");
  return graph;
}

/// Null if the graph is empty. Destroys it.
cudaGraphExec_t executable_of(cudaGraph_t graph) {
  std::size_t nodes = 0;
  cudaGraphExec_t executable = nullptr;
  cudaError_t status = cudaGraphGetNodes(graph, nullptr, &nodes);
  if (status == cudaSuccess && nodes > 0) status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check_cuda(status, "cudaGraphInstantiate");
  return executable;
}

void launch_graph(const Cuda& gpu, void* graph) {
  check_cuda(cudaGraphLaunch(handle_of(graph), stream_of(gpu)), "cudaGraphLaunch");
}

}  // namespace

void RepeatedWork<Cuda>::Destroy::operator()(void* graph) const noexcept { cudaGraphExecDestroy(handle_of(graph)); }

void RepeatedWork<Cuda>::run(const Cuda& gpu, int recording, std::int64_t step, const std::function<void()>& work) {
  if (making_.recording != nullptr) return work();
  step_ = step;
  if (const auto made = recordings_.find(recording); made != recordings_.end()) {
    for (const Action& action : made->second) action.graph ? launch_graph(gpu, action.graph.get()) : action.call(step);
    return;
  }
  Recording actions;
  make(gpu, actions, work);
  recordings_[recording] = std::move(actions);
}

void RepeatedWork<Cuda>::make(const Cuda& gpu, Recording& recording, const std::function<void()>& work) {
  begin_graph({&gpu, &recording});
  try {
    work();
  } catch (...) {
    if (std::exchange(making_, {}).recording != nullptr) {  // what was noted is of no use, but the stream is
      cudaGraph_t graph = nullptr;
      cudaStreamEndCapture(stream_of(gpu), &graph);
      if (graph != nullptr) cudaGraphDestroy(graph);
    }
    throw;
  }
  end_graph();
}

void RepeatedWork<Cuda>::begin_graph(const Making& making) {
  check_cuda(cudaStreamBeginCapture(stream_of(*making.gpu), cudaStreamCaptureModeThreadLocal),
             "cudaStreamBeginCapture");
  making_ = making;
}

void RepeatedWork<Cuda>::end_graph() {
  const auto [gpu, recording] = std::exchange(making_, {});
  const cudaGraphExec_t executable = executable_of(end_capture(*gpu));
  if (executable == nullptr) return;
  recording->push_back({.graph = std::unique_ptr<void, Destroy>(executable), .call = {}});
  launch_graph(*gpu, executable);
}

void RepeatedWork<Cuda>::run_unrecorded(std::int64_t step, const std::function<void()>& work) {
  step_ = step;
  work();
}

void RepeatedWork<Cuda>::host_call(std::function<void(std::int64_t step)> call) {
  if (making_.recording == nullptr) return call(step_);
  const Making making = making_;
  end_graph();
  call(step_);  // outside of what is noted: it may wait
  making.recording->push_back({.graph = {}, .call = std::move(call)});
  begin_graph(making);
}

}  // namespace sparsepush
