// Topologies in the forms of other programs: Graphviz's DOT, SVG and JSON.
#pragma once
#include <string>

#include "host/topologies/topology.h"

namespace sparsepush {

/// Returns a digraph for each round of the period: of a redrawn topology, of its first 8 rounds.
std::string topology_dot(const Topology& topology);

/// Rounds drawn side by side: SVG without the element around it. Edges of one weight both ways are lines, others
/// arrows.
struct TopologyPicture {
  double width = 0, height = 0;  ///< pixels
  std::string defs = {};         ///< of the marker `arrow`
  std::string body = {};         ///< whose classes `edges`, `nodes` and `title` are left to a style
};

/// Draws up to `most_rounds` rounds. Throws InputError if there are too many edges for a picture.
TopologyPicture topology_picture(const Topology& topology, std::int64_t most_rounds);

/// Returns a picture of up to 8 rounds, which needs nothing else. Edges of one weight both ways are lines, others
/// arrows. Throws InputError if there are too many edges for a picture.
std::string topology_svg(const Topology& topology);

/// Rounds as `topology_dot`, with edges, weights and degrees, and how fast they mix.
std::string topology_json(const Topology& topology);

/// Files to write; empty: none, "-": standard output.
struct TopologyFiles {
  std::string dot, svg, json;
};

/// Writes the files and returns what goes to standard output: the form whose file is "-", else the description. Throws
/// InputError if two are "-", or a file cannot be written.
std::string export_topology(const Topology& topology, const TopologyFiles& files);

}  // namespace sparsepush
