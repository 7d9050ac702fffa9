#include "kernels/nodes/state.h"

#include <algorithm>
#include <limits>

namespace sparsepush {
namespace {

template <class Backend, class T>
Buffer<Backend, T> filled(const Backend& backend, std::int64_t rows, std::int64_t columns, double start) {
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  CHECK(rows <= kMost && columns <= kMost, "rows ", rows, ", columns ", columns);
  Buffer<Backend, T> buffer(backend, static_cast<int>(rows), static_cast<int>(columns));
  if (start != 0) buffer.assign(std::vector<T>(buffer.span().size(), static_cast<T>(start)));
  return buffer;
}

}  // namespace

std::string_view name_of(Dtype dtype) {
  constexpr std::string_view kNames[] = {"F32", "F64", "I32", "I64"};
  return kNames[static_cast<int>(dtype)];
}

bool contains(const StateList& list, const StateArray& array) {
  return std::ranges::any_of(list, [&](const StateArray* other) { return other->name == array.name; });
}

template <class Backend>
typename State<Backend>::AnyBuffer State<Backend>::make(const Backend& backend, const PlannedState& planned,
                                                        const Extent& extent) {
  const StateArray& array = *planned.array;
  const std::int64_t rows = planned.rows, columns = array.columns_in(extent);
  switch (array.dtype) {
    case Dtype::kF32:
      return filled<Backend, float>(backend, rows, columns, array.start);
    case Dtype::kF64:
      return filled<Backend, double>(backend, rows, columns, array.start);
    case Dtype::kI32:
      return filled<Backend, std::int32_t>(backend, rows, columns, array.start);
    case Dtype::kI64:
      break;
  }
  return filled<Backend, std::int64_t>(backend, rows, columns, array.start);
}

template <class Backend>
State<Backend>::State(const Backend& backend, const std::vector<PlannedState>& list, const Extent& extent)
    : backend_(backend) {
  for (const PlannedState& planned : list) {
    CHECK(!has(*planned.array), "two state arrays are called ", planned.array->name);
    stored_.push_back({planned, make(backend, planned, extent)});
  }
}

template <class Backend>
void State<Backend>::resize(const std::vector<PlannedState>& list) {
  for (const PlannedState& planned : list) {
    Stored& old = stored_[index_of(*planned.array)];
    if (planned.rows == old.planned.rows) continue;
    std::visit(
        [&]<class T>(Buffer<Backend, T>& buffer) {
          const auto before = buffer.view();
          auto resized = filled<Backend, T>(backend_, planned.rows, before.cols, planned.array->start);
          const auto after = resized.view();
          copy(backend_, after.data, before.data, std::min(before.size(), after.size()) * sizeof(T));
          buffer = std::move(resized);
        },
        old.buffer);
    old.planned = planned;
  }
}

template <class Backend>
bool State<Backend>::has(const StateArray& array) const {
  return std::ranges::any_of(stored_, [&](const Stored& s) { return s.planned.array->name == array.name; });
}

template <class Backend>
std::size_t State<Backend>::index_of(const StateArray& array) const {
  std::size_t i = 0;
  while (i < stored_.size() && stored_[i].planned.array->name != array.name) ++i;
  CHECK(i < stored_.size(), "no state array ", array.name);
  return i;
}

template <class Backend>
typename State<Backend>::Bytes State<Backend>::bytes(const StateArray& array) const {
  const Stored& found = stored(array);
  return std::visit(
      [&](const auto& buffer) {
        const auto view = buffer.view();
        return Bytes{reinterpret_cast<std::byte*>(view.data), view.rows, found.planned.local_rows,
                     static_cast<std::int64_t>(view.cols * sizeof(*view.data))};
      },
      found.buffer);
}

template class State<Cpu>;
template class State<Cuda>;

}  // namespace sparsepush
