// Gradients and scores of a network on a data set that is divided among the nodes.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "data/partitions/partition.h"
#include "data/sets/dataset.h"
#include "kernels/backend/buffer.h"
#include "kernels/layers/gather_batch.h"
#include "models/gradients.h"
#include "models/network.h"
#include "models/network_pass.h"
#include "models/wave.h"

namespace sparsepush {

/// What the local nodes learn. Nodes are replica-major, as the rows of state arrays are.
struct LocalTask {
  Network network;
  const Dataset& data;                 ///< copied to the backend
  Partition owned;                     ///< [nodes] training samples of each local node
  std::vector<std::uint64_t> seed;     ///< [nodes] seed of the node's replica
  std::vector<std::int32_t> identity;  ///< [nodes] the node's number within its replica, over all shards
  int batch = 0;                       ///< samples a node and step
  bool augment = false;                ///< crop and mirror training samples at random
};

/// Mean cross-entropy over the node's batch of the step, by gather_batch.h, dense.h and softmax_xent.h.
template <class Backend>
class NetworkGradients final : public Gradients<Backend> {
 public:
  /// Makes what the nodes' gradients need. `backend` is the one that runs all calls, or has at least as many threads.
  NetworkGradients(const Backend& backend, LocalTask task);

  void compute(const Backend& backend, const GradientIn& in, const GradientOut& out, std::int64_t host_step) override;
  void score_nodes(const Backend& backend, const NodeParameters& at, std::span<const int> nodes,
                   MatrixView<double> score) override;
  void score_mean(const Backend& backend, const MeanModel& mean, int first_node, MatrixView<double> score) override;
  void watch_tests(TestWatch watch) override { watch_ = std::move(watch); }
  MatrixView<float> statistics() const override { return statistics_.view(); }
  /// Replaces the statistics by means over the batches of the node's first pass over its samples: those of its first
  /// SGD steps, augmented if these were. A last batch that would begin the next pass is left out, unless it is the only
  /// one. Every batch has the same weight, as with PyTorch's momentum = None; sums in double.
  void reestimate_statistics(const Backend& backend, const NodeParameters& at) override;

  /// Counts the bytes of activations that each worker needs for waves of `nodes` nodes, for the memory plan.
  static std::int64_t wave_bytes(const Network& network, int batch, int nodes);

 private:
  /// A data set in backend memory.
  struct SampleBuffers {
    Buffer<Backend, std::uint8_t> bytes, label;  ///< [samples, features] unless it has values; [samples]
    Buffer<Backend, float> values;               ///< [samples, features] unless it has bytes
    ImageShape image;
    Buffer<Backend, ByteScale> channel;  ///< [channels]

    SampleBuffers(const Backend& backend, const Dataset& data, const SampleSet& set);
    SampleView view() const {
      return {.bytes = bytes.view(),
              .label = label.span(),
              .image = image,
              .channel = channel.span(),
              .values = values.view()};
    }
  };

  /// Gathers the batches of step *step, of nodes [first, first + count), as the input of a pass.
  void load_batches(const Backend& backend, NetworkPass<Backend>& pass, int first, int count, const std::int64_t* step);
  void reestimate_node(const Backend& backend, NetworkPass<Backend>& pass, const PassNodes& node, int number);
  /// Adds the whole test set to the sums from index `sums` on, at the parameters of some nodes, as long as the watch
  /// goes on.
  void add_scores(const Backend& backend, NetworkPass<Backend>& pass, const PassNodes& nodes, int sums);
  void score_models(const Backend& backend, const PassNodes& models, std::span<const int> chosen,
                    MatrixView<double> score);
  /// Returns the parameters with a u of 1 where there is none.
  NodeParameters with_u(const NodeParameters& at) const;

  Network network_;
  int batch_;
  bool augment_;
  SampleBuffers train_, test_;
  Buffer<Backend, std::int64_t> begin_;              ///< [nodes + 1] of `sample_`
  Buffer<Backend, std::int32_t> sample_, identity_;  ///< [assigned samples], [nodes]
  Buffer<Backend, std::uint64_t> seed_;              ///< [nodes]
  Buffer<Backend, double> loss_;                     ///< [nodes] of the current test
  Buffer<Backend, std::int64_t> correct_;            ///< [nodes] of the current test
  Buffer<Backend, float> mean_;                      ///< [1, row]
  Buffer<Backend, double> ones_;                     ///< [nodes]
  Buffer<Backend, float> statistics_;                ///< [nodes, network_.statistics]
  Buffer<Backend, float> mean_statistics_;           ///< [1, network_.statistics]
  TestWatch watch_ = [](double) { return true; };
  std::vector<bool> learns_;  ///< [nodes] those with samples
  Waves<Backend> waves_;
  std::vector<NetworkPass<Backend>> passes_;  ///< [workers]
};

}  // namespace sparsepush
