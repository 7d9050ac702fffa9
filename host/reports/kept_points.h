// Which of many evaluations a chart shows.
#pragma once
#include <cstddef>
#include <vector>

namespace sparsepush {

/// Chooses indices in order, at most `most` of them: all where there are no more. Else the first, `always`, the last
/// and, of each of as many equal parts as there is room for, the places of the smallest and the largest number of every
/// series. Numbers that are not finite do not count. `series` have `count` numbers each; `most` >= 2 * series + 3.
std::vector<std::size_t> kept_points(const std::vector<const std::vector<double>*>& series, std::size_t count,
                                     std::size_t always, std::size_t most);

}  // namespace sparsepush
