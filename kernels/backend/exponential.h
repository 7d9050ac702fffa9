// exp by our own arithmetic: the same bits on every backend and with every libm, and loops over it become vectors.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

namespace sparsepush {

/// Returns exp(x) for x <= 0, to 2 ulp; below -708 (next to the smallest normal result) it stays exp(-708). NaN gives
/// NaN.
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

/// Returns exp(x) in fp32, for -87 <= x <= 0, to 1 ulp: exp(x) = 2^n (1 + rest + rest^2 q(rest)), q for the least
/// relative error (0.06 of half an ulp) with |rest| <= ln(2) / 2.
constexpr float exp_nonpositive(float x) {
  constexpr float kLog2E = 0x1.715476p0f, kLn2High = 0x1.62e43p-1f, kLn2Low = -0x1.05c61p-29f;
  constexpr float kRound = 0x1.8p23f;
  const float bounded = x < -87.0f ? -87.0f : x;
  const float shifted = std::fma(bounded, kLog2E, kRound);
  const float exponent = shifted - kRound;
  const float rest = std::fma(-exponent, kLn2Low, std::fma(-exponent, kLn2High, bounded));
  float q = 0x1.6a23ep-10f;
  q = std::fma(q, rest, 0x1.123a2p-7f);
  q = std::fma(q, rest, 0x1.5558f2p-5f);
  q = std::fma(q, rest, 0x1.555492p-3f);
  q = std::fma(q, rest, 0x1.fffffcp-2f);
  const float sum = std::fma(q, rest * rest, rest) + 1.0f;
  return sum * std::bit_cast<float>((std::bit_cast<std::uint32_t>(shifted) + 127) << 23);
}

}  // namespace sparsepush
