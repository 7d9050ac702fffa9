// State is a list of named arrays, each declared once by a constant that is also the way to it: nodes[state::error].
#pragma once
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/backend/check.h"

namespace sparsepush {

/// What the sizes of a shard's arrays depend on.
struct Extent {
  std::int64_t rows = 0;  ///< local nodes of all replicas
  std::int64_t halo = 0;  ///< most remote in-neighbours of any round
  std::int64_t replicas = 1;
  std::int64_t params = 0;   ///< elements of a node's row
  std::int64_t row = 0;      ///< the same with padding
  std::int64_t entries = 0;  ///< of the longest sparse message
  std::int64_t blocks = 0;   ///< that rows are cut into
  std::int64_t block = 0;    ///< positions of the longest, of the row with padding
  std::int64_t factor = 0;   ///< elements of the factors that a compressor of low rank keeps
};

/// What an array has a row for. Slots are the local nodes, then the halo.
enum class Per { kNode, kSlot, kReplica, kRun };

/// Elements of a row of an array.
using Width = std::int64_t (*)(const Extent&);
constexpr std::int64_t whole_row(const Extent& e) { return e.row; }
constexpr std::int64_t one(const Extent&) { return 1; }
constexpr std::int64_t entries(const Extent& e) { return e.entries; }
constexpr std::int64_t blocks(const Extent& e) { return e.blocks; }
constexpr std::int64_t longest_block(const Extent& e) { return e.block; }
constexpr std::int64_t factors(const Extent& e) { return e.factor; }

enum class Dtype { kF32, kF64, kI32, kI64 };
/// Names a type as safetensors files do.
std::string_view name_of(Dtype dtype);
/// Returns how many bytes an element takes.
constexpr std::int64_t element_bytes(Dtype dtype) { return dtype == Dtype::kF32 || dtype == Dtype::kI32 ? 4 : 8; }

/// An array as lists hold it. One that is sent has rows for the halo too.
struct StateArray {
  std::string_view name;  ///< in checkpoints and messages
  Per per = Per::kNode;
  Width width = whole_row;
  std::int64_t columns = 0;  ///< instead of `width` where not 0: of arrays that are named at run time
  bool saved = true;         ///< in checkpoints, its local rows; else it means nothing between steps
  double start = 0;          ///< in every element
  Dtype dtype = Dtype::kF32;
  const StateArray* starts_as = nullptr;  ///< instead, of one a replica: the row there of its first node

  /// Returns whether it has a row for each node, perhaps for those of the halo as well.
  bool is_of_nodes() const { return per == Per::kNode || per == Per::kSlot; }
  /// Counts its local rows, without the halo's.
  std::int64_t rows_in(const Extent& e) const { return is_of_nodes() ? e.rows : per == Per::kReplica ? e.replicas : 1; }
  /// Returns whether a row holds a node's parameters or something of each of them, with padding between tensors.
  bool is_padded() const { return columns == 0 && width == whole_row; }
  /// Counts the elements of a row, with padding.
  std::int64_t columns_in(const Extent& e) const { return columns > 0 ? columns : width(e); }
  /// Counts the elements of a row without padding.
  std::int64_t elements_in(const Extent& e) const { return is_padded() ? e.params : columns_in(e); }
};
using StateList = std::vector<const StateArray*>;

/// Returns whether the list has an array of this name.
bool contains(const StateList& list, const StateArray& array);

/// An array of elements T: float, double, std::int32_t or std::int64_t.
template <class T>
struct Array : StateArray {
  constexpr Array(StateArray array) : StateArray(array) {
    dtype = std::is_same_v<T, float>    ? Dtype::kF32
            : std::is_same_v<T, double> ? Dtype::kF64
            : sizeof(T) == 4            ? Dtype::kI32
                                        : Dtype::kI64;
  }
};

/// What every run has, and what several methods share.
namespace state {
inline constexpr Array<float> x({.name = "x"});                ///< [nodes, row] push-sum numerators
inline constexpr Array<float> momentum({.name = "momentum"});  ///< [nodes, row]
inline constexpr Array<float> error({.name = "error"});        ///< [nodes, row] what compression has left out so far
inline constexpr Array<float> gradient({.name = "gradient", .saved = false});  ///< [nodes, row] at z
inline constexpr Array<float> z({.name = "z", .saved = false});                ///< [nodes, row] x / u, where wanted
inline constexpr Array<double> u({.name = "u", .width = one, .start = 1});     ///< [nodes, 1] push-sum weights
inline constexpr Array<double> sent_u({.name = "u as sent", .per = Per::kSlot, .width = one, .saved = false});
/// [replicas, 1] exact means so far, of methods that decide themselves when to take one.
inline constexpr Array<std::int64_t> syncs({.name = "syncs", .per = Per::kReplica, .width = one});
/// [slots, entries] sparse messages.
inline constexpr Array<std::int32_t> position(
    {.name = "position", .per = Per::kSlot, .width = entries, .saved = false});
inline constexpr Array<float> value({.name = "value", .per = Per::kSlot, .width = entries, .saved = false});
inline constexpr Array<float> q({.name = "q", .per = Per::kSlot, .saved = false});  ///< [slots, row] dense messages
}  // namespace state

/// An array of a run, and how many rows it has on a shard.
struct PlannedState {
  const StateArray* array = nullptr;
  std::int64_t rows = 0;        ///< the halo's included
  std::int64_t local_rows = 0;  ///< without them

  std::int64_t bytes(const Extent& e) const { return rows * array->columns_in(e) * element_bytes(array->dtype); }
};

/// The arrays of a shard in backend memory.
template <class Backend>
class State {
 public:
  /// Allocates the arrays with their first values. `backend` must outlive it.
  State(const Backend& backend, const std::vector<PlannedState>& list, const Extent& extent);

  /// Returns whether the list holds an array of this name.
  bool has(const StateArray& array) const;
  /// Returns the [local rows, columns] of an array. To ask for one that the list does not hold is an error of the
  /// caller.
  template <class T>
  MatrixView<T> local(const Array<T>& array) const {
    return slots(array).rows_from(0, static_cast<int>(stored(array).planned.local_rows));
  }
  /// Returns the [rows, columns] of an array, the halo's rows behind the local ones.
  template <class T>
  MatrixView<T> slots(const Array<T>& array) const {
    const auto* buffer = std::get_if<Buffer<Backend, T>>(&stored(array).buffer);
    CHECK(buffer != nullptr, "state array ", array.name, " has other elements");
    return buffer->view();
  }

  /// Gives some arrays other rows; the elements of rows that stay are kept.
  void resize(const std::vector<PlannedState>& list);

  /// Gives an array other memory, and takes what it had.
  template <class T>
  void swap(const Array<T>& array, Buffer<Backend, T>& other) {
    auto& buffer = std::get<Buffer<Backend, T>>(stored_[index_of(array)].buffer);
    CHECK(other.view().rows == buffer.view().rows && other.view().cols == buffer.view().cols, array.name, ' ',
          buffer.view(), ", other ", other.view());
    std::swap(buffer, other);
  }

  /// An array as bytes.
  struct Bytes {
    std::byte* data = nullptr;  ///< in backend memory
    std::int64_t rows = 0, local_rows = 0, row_bytes = 0;
  };
  /// Returns an array as bytes.
  Bytes bytes(const StateArray& array) const;

 private:
  using AnyBuffer = std::variant<Buffer<Backend, float>, Buffer<Backend, double>, Buffer<Backend, std::int32_t>,
                                 Buffer<Backend, std::int64_t>>;
  struct Stored {
    PlannedState planned;
    AnyBuffer buffer;
  };
  static AnyBuffer make(const Backend& backend, const PlannedState& planned, const Extent& extent);
  std::size_t index_of(const StateArray& array) const;
  const Stored& stored(const StateArray& array) const { return stored_[index_of(array)]; }

  const Backend& backend_;
  std::vector<Stored> stored_;
};

}  // namespace sparsepush
