// An array whose contents the host replaces in the order of ops, without waiting for them.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "kernels/backend/backend.h"
#include "kernels/backend/buffer.h"
#include "kernels/backend/check.h"
#include "kernels/backend/event.h"
#include "kernels/backend/staged_array.h"

namespace sparsepush {

/// Owns a zeroed array of `size` elements in the memory of `backend`, which must outlive it. Ops that are called after
/// assign() see its values, those before do not. assign() is not for recorded work; what it writes to stays in place.
template <class Backend, class T>
class QueuedArray {
 public:
  QueuedArray(const Backend& backend, int size) : values_(backend, 1, size) {
    for (auto& staging : stagings_) staging = std::make_unique<Staging>(backend, size);
  }

  std::span<T> span() const { return values_.span(); }

  /// Waits only for what was assigned kStagings times ago. The span has as many elements as this.
  void assign(std::span<const T> values) {
    CHECK(values.size() == span().size(), values.size(), " values for ", span().size());
    Staging& staging = *stagings_[next_++ % kStagings];
    wait_for(staging.uploaded);  // it reads what is overwritten now
    std::ranges::copy(values, staging.values.host().data);
    wait_for(Queue::kUploads, staging.taken);
    staging.values.upload(0, 1);
    staging.uploaded.record(Queue::kUploads);
    wait_for(Queue::kOps, staging.uploaded);
    copy_within(values_.backend(), span().data(), staging.values.span().data(), span().size_bytes());
    staging.taken.record(Queue::kOps);
  }

 private:
  static constexpr std::size_t kStagings = 4;  // the host gets at most twice as many assignments ahead of the ops

  /// Where values wait for their place in the order of ops.
  struct Staging {
    Staging(const Backend& backend, int size) : values(backend, 1, size), uploaded(backend), taken(backend) {}
    StagedArray<Backend, T> values;
    Event<Backend> uploaded, taken;
  };

  Buffer<Backend, T> values_;
  std::array<std::unique_ptr<Staging>, kStagings> stagings_;
  std::size_t next_ = 0;
};

/// On the Cpu every op has been done when its call returns.
template <class T>
class QueuedArray<Cpu, T> {
 public:
  QueuedArray(const Cpu& cpu, int size) : values_(cpu, 1, size) {}

  std::span<T> span() const { return values_.span(); }
  void assign(std::span<const T> values) { values_.assign(values); }

 private:
  Buffer<Cpu, T> values_;
};

}  // namespace sparsepush
