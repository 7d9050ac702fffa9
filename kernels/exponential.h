// exp by our own arithmetic: the same bits on every backend and with every libm, and loops over it become vectors.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace sparsepush {

/// exp(x) for x <= 0, to 2 ulp; below -708 (next to the smallest normal result) it stays exp(-708). NaN gives NaN.
constexpr double exp_nonpositive(double x) {
  constexpr double kLog2E = 0x1.71547652b82fep0, kLn2High = 0x1.62e42fefa39efp-1, kLn2Low = 0x1.abc9e3b39803fp-56;
  constexpr double kRound = 0x1.8p52;  // adding it rounds to an integer, which then stands in the low bits
  const double bounded = x < -708.0 ? -708.0 : x;
  const double shifted = std::fma(bounded, kLog2E, kRound);
  const double exponent = shifted - kRound;
  const double rest = std::fma(-exponent, kLn2Low, std::fma(-exponent, kLn2High, bounded));  // |rest| <= ln(2) / 2
  double sum = 1.0 / 6227020800.0;  // Taylor series to rest^13 / 13!
  sum = std::fma(sum, rest, 1.0 / 479001600.0);
  sum = std::fma(sum, rest, 1.0 / 39916800.0);
  sum = std::fma(sum, rest, 1.0 / 3628800.0);
  sum = std::fma(sum, rest, 1.0 / 362880.0);
  sum = std::fma(sum, rest, 1.0 / 40320.0);
  sum = std::fma(sum, rest, 1.0 / 5040.0);
  sum = std::fma(sum, rest, 1.0 / 720.0);
  sum = std::fma(sum, rest, 1.0 / 120.0);
  sum = std::fma(sum, rest, 1.0 / 24.0);
  sum = std::fma(sum, rest, 1.0 / 6.0);
  sum = std::fma(sum, rest, 0.5);
  sum = std::fma(sum, rest, 1.0);
  sum = std::fma(sum, rest, 1.0);
  return sum * std::bit_cast<double>((std::bit_cast<std::uint64_t>(shifted) + 1023) << 52);
}

}  // namespace sparsepush
