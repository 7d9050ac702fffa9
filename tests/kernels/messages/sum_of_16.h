// Sums in the order that the contracts of kernels/ demand, as they are written there.
#pragma once
#include <cstddef>

namespace sparsepush {

/// Term j goes to partial sum j mod 16, and these are added up in order.
template <class Term>
double ordered_sum_of_16(std::size_t count, const Term& term) {
  double part[16] = {}, sum = 0;
  for (std::size_t j = 0; j < count; ++j) part[j % 16] += term(j);
  for (const double p : part) sum += p;
  return sum;
}

}  // namespace sparsepush
