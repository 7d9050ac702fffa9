#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <tuple>

#include "data/files/input_error.h"
#include "host/topologies/exports.h"
#include "host/topologies/layout.h"
#include "host/topologies/topologies.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMostRounds = 8;
constexpr std::size_t kMostDrawnEdges = 50'000;  // of a picture: more are grey, and take megabytes
constexpr double kSpacing = 30, kMargin = 30, kTitle = 24, kMostSide = 3000;  // pixels
constexpr double kFar = 1.5, kBend = 0.2;                                     // spacings; of an edge's length

/// `text` for an XML attribute or element: ASCII, with other characters as JSON escapes them.
std::string xml_text(const std::string& text) {
  std::string safe;
  for (const char c : nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)) {
    if (c == '&')
      safe += "&amp;";
    else if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

/// A layout in pixels, from the upper left corner.
struct Panel {
  Layout layout;
  double width = 0, height = 0, radius = 0;  ///< radius: of a node
};

Panel panel_of(const Topology& topology) {
  const TopologyKind& kind = topology_kind(topology.config());
  Panel panel{.layout = kind.layout ? kind.layout(topology.config(), topology.nodes(), topology.seed())
                                    : circle_layout(topology.nodes())};
  std::vector<Point>& at = panel.layout.at;
  const auto [left, right] = std::ranges::minmax(at, {}, &Point::x);
  const auto [top, bottom] = std::ranges::minmax(at, {}, &Point::y);
  const double side = std::max(right.x - left.x, bottom.y - top.y);
  const double scale = side > 0 ? std::min(kSpacing / panel.layout.spacing, kMostSide / side) : 1;
  for (Point& p : at) p = {kMargin + scale * (p.x - left.x), kMargin + kTitle + scale * (p.y - top.y)};
  panel.width = std::max(8 * kMargin, scale * (right.x - left.x) + 2 * kMargin);
  panel.height = scale * (bottom.y - top.y) + 2 * kMargin + kTitle;
  panel.layout.spacing *= scale;
  panel.radius = std::min(11.0, 0.4 * panel.layout.spacing);
  return panel;
}

std::string edge_svg(const Panel& panel, const Edge& edge, bool both_ways, bool bends) {
  const Point from = panel.layout.at[edge.source], to = panel.layout.at[edge.target];
  const double dx = to.x - from.x, dy = to.y - from.y, length = std::max(1e-9, std::hypot(dx, dy));
  const double bend =
      bends || length > kFar * panel.layout.spacing * (panel.layout.bends_far_edges ? 1 : 1e9) ? kBend : 0;
  const Point middle = {(from.x + to.x) / 2 - 2 * bend * dy, (from.y + to.y) / 2 + 2 * bend * dx};
  const double ex = to.x - middle.x, ey = to.y - middle.y, last = std::max(1e-9, std::hypot(ex, ey));
  const double gap = both_ways ? 0 : std::min(panel.radius + 1, last / 2);  // arrows end where the node begins
  const Point end = {to.x - gap * ex / last, to.y - gap * ey / last};
  const std::string path = bend == 0 ? fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", from.x, from.y, end.x, end.y)
                                     : fmt::format("M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}", from.x, from.y,
                                                   middle.x, middle.y, end.x, end.y);
  return fmt::format("<path d=\"{}\"{}><title>{} {} {}: {:.6g}</title></path>\n", path,
                     both_ways ? "" : " marker-end=\"url(#arrow)\"", edge.source, both_ways ? "-" : "to", edge.target,
                     edge.weight);
}

std::string edges_svg(const Panel& panel, const TopologyRound& round) {
  const auto by_target = [](const Edge& edge) { return std::tuple(edge.target, edge.source); };
  std::string text = "<g class=\"edges\">\n";
  for (const Edge& edge : round.edges) {
    const auto back = std::ranges::lower_bound(round.edges, std::tuple(edge.source, edge.target), {}, by_target);
    const bool has_back = back != round.edges.end() && back->target == edge.source && back->source == edge.target;
    const bool both_ways = has_back && back->weight == edge.weight;
    if (both_ways && edge.source > edge.target) continue;
    text += edge_svg(panel, edge, both_ways, has_back && !both_ways);
  }
  return text + "</g>\n";
}

std::string nodes_svg(const Panel& panel) {
  std::string text = "<g class=\"nodes\">\n";
  int node = 0;
  for (const Point& p : panel.layout.at) {
    text += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\"/>", p.x, p.y, panel.radius);
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.1f}\">{}</text>\n", p.x, p.y,
                        panel.radius * (node < 100 ? 1.1 : 0.9), node);
    ++node;
  }
  return text + "</g>\n";
}

}  // namespace

Layout circle_layout(int nodes) {
  Layout layout{.at = {}, .spacing = nodes > 1 ? 2 * std::sin(std::numbers::pi / nodes) : 1};
  for (int node = 0; node < nodes; ++node) {
    const double angle = 2 * std::numbers::pi * node / nodes;
    layout.at.push_back({std::sin(angle), -std::cos(angle)});
  }
  return layout;
}

TopologyPicture topology_picture(const Topology& topology, std::int64_t most_rounds) {
  const std::int64_t rounds = topology.period() > 0 ? std::min(topology.period(), most_rounds) : most_rounds;
  const Panel panel = panel_of(topology);
  std::string body;
  std::size_t edges = 0;
  std::int64_t columns = 1;
  while (columns * columns < rounds) ++columns;
  for (std::int64_t t = 0; t < rounds; ++t) {
    const TopologyRound round = topology.round(t);
    edges += round.edges.size();
    if (edges > kMostDrawnEdges)
      throw InputError("--svg: {} has more than {} edges, too many for a picture; --json writes all", topology.name(),
                       kMostDrawnEdges);
    body += fmt::format("<g transform=\"translate({:.1f} {:.1f})\">\n", panel.width * static_cast<double>(t % columns),
                        panel.height * static_cast<double>(t / columns));
    body += fmt::format("<text class=\"title\" x=\"{:.1f}\" y=\"18\">round {}{}</text>\n", kMargin / 2, t,
                        topology.period() == 1 ? " and all others" : "");
    body += edges_svg(panel, round) + nodes_svg(panel) + "</g>\n";
  }
  return {.width = panel.width * static_cast<double>(columns),
          .height = panel.height * static_cast<double>((rounds + columns - 1) / columns),
          .defs =
              "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" "
              "markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#777\"/></marker></defs>\n",
          .body = body};
}

std::string topology_svg(const Topology& topology) {
  const TopologyPicture picture = topology_picture(topology, kMostRounds);
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
      "{1:.0f}\">\n"
      "<title>{2}, {3} nodes</title>\n"
      "<style>.edges path{{fill:none;stroke:#777;stroke-width:1.2}}.nodes circle{{fill:#1f5fa8}}"
      ".nodes text{{fill:#fff;text-anchor:middle;dominant-baseline:central}}text{{font-family:sans-serif}}"
      ".title{{font-size:14px;fill:#222}}</style>\n"
      "{4}<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{5}</svg>\n",
      picture.width, picture.height, xml_text(topology.name()), topology.nodes(), picture.defs, picture.body);
}

}  // namespace sparsepush
