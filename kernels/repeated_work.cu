#include "kernels/cuda_launch.h"
#include "kernels/repeated_work.h"

namespace sparsepush {
namespace {

/// The graph of what `work` launches.
cudaGraph_t record(const Cuda& gpu, const std::function<void()>& work) {
  check_cuda(cudaStreamBeginCapture(stream_of(gpu), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(stream_of(gpu), &graph);  // an unfinished record is of no use, but the stream is
    if (graph != nullptr) cudaGraphDestroy(graph);
    throw;
  }
  check_cuda(cudaStreamEndCapture(stream_of(gpu), &graph), "cudaStreamEndCapture");
  return graph;
}

}  // namespace

RepeatedWork<Cuda>::~RepeatedWork() {
  if (graph_ != nullptr) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph_));
}

void RepeatedWork<Cuda>::run(const Cuda& gpu, const std::function<void()>& work) {
  if (graph_ == nullptr) {
    const cudaGraph_t graph = record(gpu, work);
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check_cuda(status, "cudaGraphInstantiate");
    graph_ = executable;
  }
  check_cuda(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph_), stream_of(gpu)), "cudaGraphLaunch");
}

}  // namespace sparsepush
