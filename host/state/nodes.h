// The nodes of a shard: their arrays, and what is kept beside them from round to round.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "host/recipe/methods.h"
#include "host/rounds/round_plan.h"
#include "host/state/nodes_plan.h"
#include "host/transports/transport.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/queued_array.h"
#include "kernels/backend/repeated_work.h"
#include "kernels/messages/messages.h"
#include "kernels/messages/round_draws.h"
#include "kernels/messages/traffic.h"
#include "kernels/mixing/flag_due.h"
#include "kernels/nodes/cuda_layout.h"
#include "kernels/nodes/sgd_update.h"
#include "kernels/nodes/state.h"

namespace sparsepush {

/// A kind of message, and what one of each replica costs.
template <class Backend>
struct Outgoing {
  Message message;
  Buffer<Backend, MessageBytes> bytes;  ///< [replicas]
};

/// What a method has that decides itself when replicas exchange their message.
template <class Backend>
struct Trigger {
  Outgoing<Backend> monitor;             ///< exchanged in every step
  Buffer<Backend, VarianceLimit> limit;  ///< [replicas]
  Buffer<Backend, std::int32_t> due;     ///< [replicas] whether one is due in this step
};

/// All local nodes, rows replica-major. A method is a function over this, in the words of verbs.h.
template <class Backend>
class Nodes {
 public:
  /// Allocates all arrays. `backend`, `transport` and `layout` must outlive it.
  Nodes(const Backend& backend, Transport<Backend>& transport, const RowLayout& layout, const NodesPlan& plan);

  /// Returns an array's local rows, [local rows, columns].
  template <class T>
  MatrixView<T> operator[](const Array<T>& array) const {
    return state.local(array);
  }
  /// Returns the elements of an array with one element a row, [local rows].
  template <class T>
  std::span<T> list(const Array<T>& array) const {
    const MatrixView<T> view = state.local(array);
    return {view.data, view.size()};
  }
  /// Copies the elements of the local rows to host memory.
  template <class T>
  std::vector<T> to_host(const Array<T>& array) const {
    const MatrixView<T> there = state.local(array);
    std::vector<T> here(there.size());
    copy(backend, here.data(), there.data, here.size() * sizeof(T));
    return here;
  }
  /// Copies elements from host memory to the local rows: as many as `to_host` returns.
  template <class T>
  void assign(const Array<T>& array, std::span<const std::type_identity_t<T>> values) const {
    const MatrixView<T> there = state.local(array);
    CHECK(values.size() == there.size(), "values ", values.size(), ", ", array.name, ' ', there);
    copy(backend, there.data, values.data(), values.size_bytes());
  }
  /// Returns the sparse messages of all slots.
  Messages messages() const { return {state.slots(state::position), state.slots(state::value)}; }
  /// Returns what random numbers of this round's messages are drawn from.
  RoundDraws draws() const { return {.seed = seed.span(), .round = round, .first_node = shard.first()}; }
  /// Returns the arguments of this step's SGD update.
  SgdUpdate sgd() const;
  /// Keeps what the run's compressor makes for itself, such as a selection's memory.
  template <class T>
  void keep(T made) {
    made_ = std::make_unique<Made<T>>(std::move(made));
  }
  /// Returns what `keep` was given, which must be a T.
  template <class T>
  T& made() const {
    auto* const found = dynamic_cast<Made<T>*>(made_.get());
    CHECK(found != nullptr, "the compressor has made nothing of this kind");
    return found->value;
  }
  /// Rounds the values of entries to 16 bits, if that is wanted: what is cut off goes to v.
  void round_entries(const Array<float>& v);
  /// Makes room for what so many remote in-neighbours send. To be called between steps; work must be recorded anew
  /// after it.
  void allocate_halo(int halo_slots);
  /// Counts the messages that each node has sent, `copies` [local rows] in backend memory, of replicas that are due.
  void count(const Outgoing<Backend>& sent, std::span<const std::int64_t> copies, Due due = {});

  const Backend& backend;
  Transport<Backend>& transport;
  const Shard shard;
  const RowLayout& layout;
  const LayoutOn<Backend> backend_layout;
  const Recipe recipe;
  const AlgorithmConfig algorithm;  ///< what all replicas have in common
  const bool verify;
  Extent extent;
  const StateList arrays;  ///< in the order of checkpoints
  State<Backend> state;
  Buffer<Backend, std::uint64_t> seed;            ///< [replicas]
  const std::int64_t* round = nullptr;            ///< [1] number of the round that is played, in backend memory
  Buffer<Backend, std::int64_t> message_entries;  ///< [slots] how many entries of each message count
  Buffer<Backend, std::int64_t> own_begin;        ///< [slots + 1] in-edges of a round without any
  Buffer<Backend, float> own_weight;              ///< [slots] that round's self weights, all 1
  Buffer<Backend, std::int64_t> chain_copies;     ///< [local rows] messages of a node in an exact mean
  Buffer<Backend, std::int64_t> block_begin;      ///< [blocks + 1], of methods that mix by blocks
  Buffer<Backend, float> workspace;               ///< [dense_mix_workspace(slots, row)] on a GPU
  std::optional<Outgoing<Backend>> message, final_message;
  std::optional<Trigger<Backend>> trigger;
  QueuedArray<Backend, SgdSettings> settings;  ///< [replicas], or [rows] where some nodes do not learn
  Buffer<Backend, std::uint8_t> diverged;      ///< [local rows]
  Buffer<Backend, std::int64_t> sent;          ///< [kSentCounts, local rows]
  RepeatedWork<Backend> work;                  ///< recordings of steps; verbs tell it what no graph can hold

 private:
  struct AnyMade {
    virtual ~AnyMade() = default;
  };
  template <class T>
  struct Made : AnyMade {
    explicit Made(T made) : value(std::move(made)) {}
    T value;
  };

  std::unique_ptr<AnyMade> made_;
};

}  // namespace sparsepush
