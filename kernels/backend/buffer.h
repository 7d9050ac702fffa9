// Owning memory in either backend.
#pragma once
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/backend/check.h"
#include "kernels/backend/view.h"

namespace sparsepush {

/// Owns a zeroed row-major [rows, cols] matrix in the memory of `backend`, which must outlive it. Move-only.
template <class Backend, class T>
class Buffer {
 public:
  Buffer(const Backend& backend, int rows, int cols)
      : data_(static_cast<T*>(allocate(backend, sizeof(T) * static_cast<std::size_t>(rows) * cols)), Release{&backend}),
        rows_(rows),
        cols_(cols) {}
  /// Allocates [rows, cols] and copies the host's `values` there, row-major.
  Buffer(const Backend& backend, int rows, int cols, std::span<const T> values) : Buffer(backend, rows, cols) {
    assign(values);
  }
  /// Allocates a vector [1, values.size()] and copies the host's `values` there.
  Buffer(const Backend& backend, const std::vector<T>& values)
      : Buffer(backend, 1, static_cast<int>(values.size()), std::span<const T>(values)) {
    CHECK(values.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "values ", values.size());
  }

  MatrixView<T> view() const { return {data_.get(), rows_, cols_}; }
  std::span<T> span() const { return {data_.get(), view().size()}; }
  const Backend& backend() const { return *data_.get_deleter().backend; }

  /// Copies the host's `values` here; there must be rows * cols of them.
  void assign(std::span<const T> values) {
    CHECK(values.size() == view().size(), "values ", values.size(), ", buffer ", view());
    copy(backend(), data_.get(), values.data(), values.size_bytes());
  }
  std::vector<T> to_host() const {
    std::vector<T> values(view().size());
    copy(backend(), values.data(), data_.get(), sizeof(T) * values.size());
    return values;
  }

 private:
  struct Release {
    const Backend* backend;
    void operator()(void* p) const noexcept { release(*backend, p); }
  };
  std::unique_ptr<T[], Release> data_;
  int rows_, cols_;
};

}  // namespace sparsepush
