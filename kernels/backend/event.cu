#include "kernels/backend/cuda_launch.h"
#include "kernels/backend/event.h"

namespace sparsepush {
namespace {

cudaEvent_t create_event() {
  cudaEvent_t event;
  check_cuda(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  return event;
}

cudaStream_t stream_of(const Cuda& gpu, Queue queue) {
  return static_cast<cudaStream_t>(queue == Queue::kOps ? gpu.stream() : gpu.upload_stream());
}

cudaEvent_t handle_of(void* event) { return static_cast<cudaEvent_t>(event); }

}  // namespace

Event<Cuda>::Event(const Cuda& gpu) : gpu_(&gpu), event_(create_event()) {}
void Event<Cuda>::Destroy::operator()(void* event) const noexcept { cudaEventDestroy(handle_of(event)); }

void Event<Cuda>::record(Queue queue) {
  check_cuda(cudaEventRecord(handle_of(event_.get()), stream_of(*gpu_, queue)), "cudaEventRecord");
}
void wait_for(Queue queue, const Event<Cuda>& event) {
  check_cuda(cudaStreamWaitEvent(stream_of(*event.gpu_, queue), handle_of(event.event_.get()), 0),
             "cudaStreamWaitEvent");
}
void wait_for(const Event<Cuda>& event) {
  check_cuda(cudaEventSynchronize(handle_of(event.event_.get())), "cudaEventSynchronize");
}

}  // namespace sparsepush
