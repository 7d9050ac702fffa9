// Matrices of more elements than memory holds, for tests of offsets.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <new>

#include "kernels/backend/view.h"

namespace sparsepush {

/// A zeroed matrix in reserved address space: pages that nobody writes take no memory.
template <class T>
class LargeMatrix {
 public:
  LargeMatrix(int rows, int cols) : view_{nullptr, rows, cols} {
    void* p = mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    view_.data = static_cast<T*>(p);
  }
  ~LargeMatrix() { munmap(view_.data, bytes()); }
  LargeMatrix(const LargeMatrix&) = delete;
  LargeMatrix& operator=(const LargeMatrix&) = delete;

  MatrixView<T> view() const { return view_; }

  /// Puts all parts of rows on top of each other, but the last part of each of the last rows: an op may write the whole
  /// matrix without taking memory for it, and what stands in those parts is what it would be. A row is a whole number
  /// of parts.
  void fold() {
    const int file = memfd_create("folded", 0);
    if (file < 0 || ftruncate(file, kPart) != 0) throw std::bad_alloc();
    const std::size_t row_bytes = view_.cols * sizeof(T);
    for (std::size_t at = 0; at < bytes(); at += kPart) {
      if ((at + kPart) % row_bytes == 0 && at + kOwnRows * row_bytes > bytes()) continue;
      void* part = mmap(reinterpret_cast<std::byte*>(view_.data) + at, kPart, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED, file, 0);
      if (part == MAP_FAILED) throw std::bad_alloc();
    }
    close(file);
  }

 private:
  static constexpr std::size_t kPart = 1 << 21, kOwnRows = 40;
  std::size_t bytes() const { return view_.size() * sizeof(T); }

  MatrixView<T> view_;
};

}  // namespace sparsepush
