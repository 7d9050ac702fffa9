// Division by numbers that are known before a kernel runs.
#pragma once
#include <bit>
#include <cstdint>

namespace sparsepush {

/// Divides by d in 1 .. 2^31 - 1 with a multiplication and a shift: GPUs have no instruction that divides.
class Divisor {
 public:
  constexpr Divisor() = default;
  /// Divides, so it is for the host.
  explicit Divisor(int d)
      : d_(d),
        shift_(31 + std::bit_width(static_cast<unsigned>(d) - 1)),
        factor_(static_cast<std::uint32_t>(((std::uint64_t{1} << shift_) + d - 1) / d)) {}

  constexpr int value() const { return d_; }
  /// Returns n / d for n >= 0, exactly.
  constexpr int divide(int n) const { return static_cast<int>((static_cast<std::uint64_t>(n) * factor_) >> shift_); }

 private:
  int d_ = 1, shift_ = 31;
  std::uint32_t factor_ = 1u << 31;  ///< 2^shift / d rounded up: too large by less than 1 in 2^31
};

}  // namespace sparsepush
