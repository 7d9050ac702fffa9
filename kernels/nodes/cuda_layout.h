// A row layout as kernels read it.
#pragma once
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/backend/buffer.h"
#include "kernels/nodes/row_layout.h"

namespace sparsepush {

/// Threads take 4 neighbouring elements at a time. They all belong to one tensor, and the last ones may be padding.
class CudaLayout {
 public:
  CudaLayout(const Cuda& gpu, RowLayout layout)
      : host_(std::move(layout)),
        live_(gpu, live_elements(host_)),
        segments_(gpu, host_.segments),
        paddings_(gpu, host_.paddings) {}

  const RowLayout& host() const { return host_; }
  /// Returns [row / 4] how many of the 4 elements are not padding, on the GPU.
  std::span<const std::uint8_t> live() const { return live_.span(); }
  /// Returns the segments of a row, on the GPU; the second, its paddings.
  std::span<const Segment> segments() const { return segments_.span(); }
  std::span<const Padding> paddings() const { return paddings_.span(); }

 private:
  static std::vector<std::uint8_t> live_elements(const RowLayout& layout) {
    std::vector<std::uint8_t> live(layout.row / 4, 4);
    for (const Segment& s : layout.segments)
      if (s.size % 4 != 0) live[(s.begin + s.size) / 4] = static_cast<std::uint8_t>(s.size % 4);
    return live;
  }

  RowLayout host_;
  Buffer<Cuda, std::uint8_t> live_;  ///< [row / 4]
  Buffer<Cuda, Segment> segments_;   ///< [tensors]
  Buffer<Cuda, Padding> paddings_;   ///< [paddings]
};

/// What ops of a backend take as the layout of a row, and how it is made.
template <class Backend>
using LayoutOn = std::conditional_t<std::is_same_v<Backend, Cpu>, RowLayout, CudaLayout>;

inline RowLayout layout_on(const Cpu&, const RowLayout& layout) { return layout; }
inline CudaLayout layout_on(const Cuda& gpu, const RowLayout& layout) { return CudaLayout(gpu, layout); }

}  // namespace sparsepush
