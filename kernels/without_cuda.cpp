// The Cuda backend of a program that is built without CUDA: there is no GPU, so that nothing below its constructor is
// ever called.
#include <stdexcept>

#include "kernels/backend/bus_id.h"
#include "kernels/backend/event.h"
#include "kernels/backend/repeated_work.h"
#include "kernels/layers/conv2d/conv2d.h"
#include "kernels/layers/conv2d/cudnn_convolution.h"
#include "kernels/layers/dense.h"
#include "kernels/layers/gather_batch.h"
#include "kernels/layers/normalize/normalize.h"
#include "kernels/layers/pool.h"
#include "kernels/layers/quadratic.h"
#include "kernels/layers/softmax_xent.h"
#include "kernels/messages/low_rank.h"
#include "kernels/messages/quantize.h"
#include "kernels/messages/random_k.h"
#include "kernels/messages/round_values.h"
#include "kernels/messages/row_packets.h"
#include "kernels/messages/topk/update_select.h"
#include "kernels/messages/traffic.h"
#include "kernels/mixing/block_mix.h"
#include "kernels/mixing/dense_mix.h"
#include "kernels/mixing/difference_mix.h"
#include "kernels/mixing/due_round.h"
#include "kernels/mixing/flag_due.h"
#include "kernels/mixing/mean_rows.h"
#include "kernels/mixing/push_sum_mix.h"
#include "kernels/mixing/random_out.h"
#include "kernels/mixing/update_mix.h"
#include "kernels/nodes/adam_update.h"
#include "kernels/nodes/debias.h"
#include "kernels/nodes/drift.h"
#include "kernels/nodes/quasi_global_update.h"
#include "kernels/nodes/statistics.h"
#include "kernels/nodes/step_clock.h"
#include "kernels/nodes/subtract.h"

namespace sparsepush {
namespace {
[[noreturn]] void refuse() { throw std::runtime_error("this program was built without CUDA"); }
}  // namespace

int Cuda::count() { return 0; }
bool Cuda::is_built_in() { return false; }
std::string bus_id(int) { refuse(); }
Cuda::Cuda(int) { refuse(); }
Cuda::~Cuda() = default;
std::string Cuda::name() const { refuse(); }
std::int64_t Cuda::free_bytes() const { refuse(); }
void Cuda::synchronize() const { refuse(); }
void* allocate(const Cuda&, std::size_t) { refuse(); }
void release(const Cuda&, void*) noexcept {}
void copy(const Cuda&, void*, const void*, std::size_t) { refuse(); }
void copy_within(const Cuda&, void*, const void*, std::size_t) { refuse(); }
void clear(const Cuda&, void*, std::size_t) { refuse(); }

void* allocate_pinned(const Cuda&, std::size_t) { refuse(); }
void release_pinned(void*) noexcept {}
void upload(const Cuda&, void*, const void*, std::size_t) { refuse(); }
Event<Cuda>::Event(const Cuda&) { refuse(); }
void Event<Cuda>::record(Queue) { refuse(); }
void Event<Cuda>::Destroy::operator()(void*) const noexcept {}
void wait_for(Queue, const Event<Cuda>&) { refuse(); }
void wait_for(const Event<Cuda>&) { refuse(); }

void RepeatedWork<Cuda>::run(const Cuda&, int, std::int64_t, const std::function<void()>&) { refuse(); }
void RepeatedWork<Cuda>::run_unrecorded(std::int64_t, const std::function<void()>&) { refuse(); }
void RepeatedWork<Cuda>::host_call(std::function<void(std::int64_t)>) { refuse(); }
void RepeatedWork<Cuda>::Destroy::operator()(void*) const noexcept {}
void end_step(const Cuda&, std::span<const std::uint8_t>, int, std::span<StepClock>) { refuse(); }
void DueRound<Cuda>::load(const Cuda&, const RoundPlaces&, const std::int64_t*) { refuse(); }
RandomOutScratch<Cuda>::RandomOutScratch(const Cuda& gpu, std::int64_t, std::int64_t)
    : target(gpu, 0, 0), source(gpu, 0, 0), sorted_target(gpu, 0, 0), sort(gpu, 0, 0) {}
void draw_random_out(const Cuda&, const DrawRandomOut&, RandomOutScratch<Cuda>&) { refuse(); }

void gather_batch(const Cuda&, const GatherBatch&) { refuse(); }
void load_samples(const Cuda&, const SampleView&, const SampleRange&, MatrixView<float>, std::span<std::int32_t>) {
  refuse();
}
void dense_forward(const Cuda&, const DenseForward&) { refuse(); }
void dense_backward(const Cuda&, const DenseBackward&) { refuse(); }
ConvolutionRoom<Cuda>::ConvolutionRoom(const Cuda& gpu) : gpu_(&gpu) {}
ConvolutionRoom<Cuda>::~ConvolutionRoom() = default;
ConvolutionRoom<Cuda>::ConvolutionRoom(ConvolutionRoom&&) noexcept = default;
Conv2d<Cuda>::Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int, int) : layer_(layer), partial_(gpu, 0, 0) {}
Conv2d<Cuda>::Conv2d(const Cuda& gpu, const Conv2dLayer& layer, int, int, ConvolutionRoom<Cuda>&)
    : layer_(layer), partial_(gpu, 0, 0) {}
Conv2d<Cuda>::~Conv2d() = default;
Conv2d<Cuda>::Conv2d(Conv2d&&) noexcept = default;
void Conv2d<Cuda>::prepare(const Cuda&, int) { refuse(); }
void Conv2d<Cuda>::forward(const Cuda&, const Conv2dForward&) { refuse(); }
void Conv2d<Cuda>::backward(const Cuda&, const Conv2dBackward&) { refuse(); }
void normalize_forward(const Cuda&, const NormalizeForward&) { refuse(); }
void normalize_backward(const Cuda&, const NormalizeBackward&) { refuse(); }
void pool_forward(const Cuda&, const PoolForward&) { refuse(); }
void pool_backward(const Cuda&, const PoolBackward&) { refuse(); }
void softmax_xent(const Cuda&, const SoftmaxXent&) { refuse(); }
void score_logits(const Cuda&, const ScoreLogits&) { refuse(); }
void quadratic_gradient(const Cuda&, const QuadraticGradient&) { refuse(); }
void quadratic_loss(const Cuda&, const QuadraticLoss&) { refuse(); }
void quadratic_loss_at(const Cuda&, const QuadraticView&, std::span<const double>, int, std::span<double>) { refuse(); }

void sgd_update(const Cuda&, const CudaLayout&, const SgdUpdate&) { refuse(); }
void adam_update(const Cuda&, const CudaLayout&, const AdamUpdate&) { refuse(); }
void quasi_global_update(const Cuda&, const CudaLayout&, const QuasiGlobalUpdate&) { refuse(); }
void topk_select(const Cuda&, SelectionMemory<Cuda>&, MatrixView<float>, const Messages&) { refuse(); }
void update_select(const Cuda&, SelectionMemory<Cuda>&, const UpdateSelect&) { refuse(); }
void update_mix(const Cuda&, const CudaLayout&, const UpdateMix&) { refuse(); }
void quantize_to_levels(const Cuda&, const CudaLayout&, const Quantize&, const Levels&) { refuse(); }
void quantize_to_signs(const Cuda&, const CudaLayout&, const Quantize&) { refuse(); }
void random_k(const Cuda&, const CudaLayout&, const RandomPlans<Cuda>&, const RandomK&) { refuse(); }
void round_values(const Cuda&, const RoundValues&) { refuse(); }
void low_rank(const Cuda&, const LowRank&) { refuse(); }
void pack_rows(const Cuda&, const RowPackets&) { refuse(); }
void unpack_rows(const Cuda&, const RowPackets&) { refuse(); }
void push_sum_mix(const Cuda&, const PushSumMix&) { refuse(); }
void dense_mix(const Cuda&, const DenseMix&) { refuse(); }
void cut_block(const Cuda&, const CutBlock&) { refuse(); }
void mix_block(const Cuda&, const MixBlock&) { refuse(); }
void debias_blocks(const Cuda&, MatrixView<const float>, MatrixView<const double>, const ModelBlocks&,
                   MatrixView<float>) {
  refuse();
}
void difference_mix(const Cuda&, const DifferenceMix&) { refuse(); }
void mean_rows(const Cuda&, const MeanRows&) { refuse(); }
void flag_due(const Cuda&, const FlagDue&) { refuse(); }
void measure_drift(const Cuda&, const CudaLayout&, const MeasureDrift&) { refuse(); }
void move_reference(const Cuda&, const CudaLayout&, const MoveReference&) { refuse(); }
void subtract(const Cuda&, MatrixView<const float>, MatrixView<const float>, MatrixView<float>) { refuse(); }
void debias(const Cuda&, MatrixView<const float>, std::span<const double>, MatrixView<float>) { refuse(); }
void mix_push_weights(const Cuda&, const RoundEdges&, std::span<const double>, std::span<double>) { refuse(); }
void add_traffic(const Cuda&, const Traffic&) { refuse(); }
void add_traffic(const Cuda&, const Traffic&, const SizedMessagesOf<Cuda>&) { refuse(); }

void add_rows(const Cuda&, MatrixView<const float>, std::int64_t, std::span<double>) { refuse(); }
void squared_distances(const Cuda&, MatrixView<const float>, std::span<const double>, std::span<const double>,
                       std::span<double>) {
  refuse();
}
void squared_norms(const Cuda&, MatrixView<const float>, std::span<double>) { refuse(); }

}  // namespace sparsepush
