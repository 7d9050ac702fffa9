// Tiles of a node's pixels and what 3 x 3 kernels with padding 1 read for them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <numeric>

#include "kernels/backend/divisor.h"
#include "kernels/layers/image_shape.h"

namespace sparsepush {

/// What a block has for a tile.
struct TileRoom {
  int pixels = 0;                       ///< of a tile at most
  int multiple = 1;                     ///< whole tiles have a multiple of so many
  std::int64_t bytes = 0;               ///< of shared memory
  int position_bytes, pixel_bytes = 0;  ///< of it, for each pixel that is read, and for each of the tile
};

/// The lines of a node's images, one image after the other, in tiles of `lines` lines each. Every pixel reads a square
/// of 3 x 3 pixels of the source's image, the squares of neighbours `stride` apart.
///
/// In shared memory a tile has the rows of the source that it reads, a column of zeros on either side, and a row of
/// zeros above and below each image; one such row serves two images. With a stride of 2 the even columns stand first in
/// a row, so that what neighbours read stands side by side. Lines beyond the last image read zeros.
class HaloTiles {
 public:
  /// Makes tiles as high as the room allows; without lines: not even the fewest fit into it.
  HaloTiles(ImageShape source, ImageShape image, int stride, int samples, const TileRoom& room)
      : source_(source),
        samples_(samples),
        stride_(stride),
        width_(image.width),
        height_(image.height),
        pitch_(source.width + 2),
        padded_height_(source.height + 1) {
    const int step = room.multiple / std::gcd(room.multiple, image.width);
    const int all = samples * image.height;
    lines_ = std::min(room.pixels / image.width, (all + step - 1) / step * step) / step * step;
    for (; lines_ > 0; lines_ -= step) {
      most_rows_ = 0;
      for (int line = 0; line < all; line += lines_) most_rows_ = std::max(most_rows_, rows(line));
      if (std::int64_t{positions()} * room.position_bytes + lines_ * image.width * room.pixel_bytes <= room.bytes)
        break;
    }
    count_ = lines_ > 0 ? (all + lines_ - 1) / lines_ : 0;
  }

  constexpr int lines() const { return lines_; }  ///< of a tile; the last one of a node may have fewer
  constexpr int count() const { return count_; }  ///< a node
  constexpr int width() const { return width_.value(); }
  constexpr const ImageShape& source() const { return source_; }
  constexpr int samples() const { return samples_; }
  constexpr int image_pixels() const { return width_.value() * height_.value(); }
  /// Counts the pixels of the tile that begins with `line`.
  constexpr int pixels(int line) const {
    const int left = samples_ * height_.value() - line;
    return (left < lines_ ? left : lines_) * width_.value();
  }

  /// Returns the room in shared memory, in pixels of the source.
  constexpr int positions() const { return most_rows_ * pitch_.value(); }
  /// Returns how much of it the tile that begins with `line` takes.
  constexpr int positions(int line) const { return rows(line) * pitch_.value(); }

  /// Says what stands at a position of the tile that begins with `line`: which pixel of the samples' sources, or none.
  constexpr int source_pixel(int line, int position) const {
    const int row = pitch_.divide(position), place = position - row * pitch_.value();
    const int padded = first_row(line) + row, sample = padded_height_.divide(padded);
    const int y = padded - sample * padded_height_.value() - 1, x = column_at(place) - 1;
    const bool inside = sample < samples_ && y >= 0 && x >= 0 && x < source_.width;
    return inside ? (sample * source_.height + y) * source_.width + x : -1;
  }
  /// Returns the position that the first tap of a tile's pixel meets.
  constexpr int position(int line, int pixel) const {
    const int down = width_.divide(pixel);
    return (first_row(line + down) - first_row(line)) * pitch_.value() + pixel - down * width_.value();
  }
  /// Returns how many positions from there on a tap meets, of three across and three down.
  constexpr int tap(int down, int across) const {
    const int odd = stride_ == 1 ? 1 : odd_columns();
    return down * pitch_.value() + (across == 1 ? odd : across / stride_);
  }

  /// Where a tile's pixel is in the image of its sample.
  struct Pixel {
    int sample, y, x;
  };
  constexpr Pixel pixel(int line, int number) const {
    const int down = width_.divide(number), sample = height_.divide(line + down);
    return {sample, line + down - sample * height_.value(), number - down * width_.value()};
  }

 private:
  constexpr int odd_columns() const { return (pitch_.value() + 1) / 2; }  ///< where they begin
  constexpr int column_at(int place) const {
    if (stride_ == 1) return place;
    return place < odd_columns() ? 2 * place : 2 * (place - odd_columns()) + 1;
  }
  /// Returns the row that the first taps of a line meet, over all samples.
  constexpr int first_row(int line) const {
    const int sample = height_.divide(line);
    return sample * padded_height_.value() + (line - sample * height_.value()) * stride_;
  }
  constexpr int rows(int line) const { return first_row(line + lines_ - 1) + 3 - first_row(line); }

  ImageShape source_;
  int samples_, stride_, lines_ = 0, count_ = 0, most_rows_ = 0;
  Divisor width_, height_;         ///< of the images that are computed
  Divisor pitch_, padded_height_;  ///< positions in a row; rows from one sample to the next
};

}  // namespace sparsepush
