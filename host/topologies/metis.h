// Topologies as graphs in the format of METIS.
#pragma once
#include <string>

#include "host/topologies/edge_rows.h"

namespace sparsepush {

/// Returns whether a file is of METIS, by the extension .graph or .metis, or because a comment of such files comes
/// first.
bool is_metis(const std::string& path);

/// Reads the edges, both ways. The first line has the numbers of nodes and edges, and perhaps a format of three digits
/// and the number of weights a node; a line for each node follows with its neighbours, which count from 1. Weights and
/// sizes of nodes do not count; those of edges, which are whole numbers, are refused. Every edge must stand in the
/// lines of both its ends. Throws InputError with file and line.
EdgeTable read_metis(const std::string& path, int nodes);

}  // namespace sparsepush
