// Topologies as sparse matrices in the MatrixMarket format.
#pragma once
#include <string>

#include "host/topologies/edge_rows.h"

namespace sparsepush {

/// Returns whether a file is of Matrix Market, by its banner, or by the extension .mtx.
bool is_matrix_market(const std::string& path);

/// Reads the edges of `coordinate` matrices, `general` or `symmetric`. `pattern` and `integer` ones are adjacency
/// matrices of 0 and 1: entry (i, j) is an edge from i to j. `real` ones are mixing matrices P of x = P x: entry (i, j)
/// is the weight at which node i takes what j sends, the diagonal what nodes keep. Indices in the file count from 1.
/// Throws InputError with file and line.
EdgeTable read_matrix_market(const std::string& path, int nodes);

/// Returns whether the file has weights. Throws InputError unless it begins as such a file does.
bool matrix_market_has_weights(const std::string& path);

}  // namespace sparsepush
