#include "host/reports/topology_figure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "host/reports/html_text.h"
#include "host/topologies/exports.h"

namespace sparsepush {
namespace {

constexpr int kMostDrawn = 64;              // nodes
constexpr std::int64_t kRoundsDrawn = 4;    // for a topology that changes
constexpr std::size_t kBars = 24;           // in a histogram
constexpr int kMostNodesMeasured = 20'000;  // above it the spectral gap takes seconds

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

constexpr double kFrameWidth = 480, kFrameTitle = 30, kFrameMargin = 10;  // pixels

std::string title_svg(const std::string& title) {
  return fmt::format("<text x=\"10\" y=\"17\" font-size=\"13\" font-weight=\"600\" fill=\"currentColor\">{}</text>\n",
                     html_text(title));
}

/// Draws the topology in the middle below its title, smaller where it is wider than other charts.
Figure drawn_topology(const Topology& topology, const std::string& name) {
  const TopologyPicture picture = topology_picture(topology, kRoundsDrawn);
  const double scale = std::min(1.0, (kFrameWidth - 2 * kFrameMargin) / picture.width);
  Figure figure{.name = name, .width = kFrameWidth, .height = std::ceil(kFrameTitle + scale * picture.height)};
  // Markers of several pictures on one page need names of their own.
  const std::string marker = "arrow-" + name;
  const std::string body =
      replace_all(replace_all(picture.defs + picture.body, "id=\"arrow\"", "id=\"" + marker + "\""), "url(#arrow)",
                  "url(#" + marker + ")");
  figure.body = fmt::format(
      "<style>.edges path{{fill:none;stroke:#808890;stroke-width:1.2}}.nodes circle{{fill:#1f5fa8}}.nodes "
      "text{{fill:#fff;"
      "text-anchor:middle;dominant-baseline:central}}.title{{fill:currentColor}}</style>\n"
      "{}<g transform=\"translate({:.1f} {:g}) scale({:.4g})\" font-size=\"{:.0f}\">\n{}</g>\n",
      title_svg("Topology"), (kFrameWidth - scale * picture.width) / 2, kFrameTitle, scale, std::min(14 / scale, 40.0),
      body);
  if (topology.period() == 0 || topology.period() > kRoundsDrawn)
    figure.note = fmt::format("Shown are the first {} rounds.", kRoundsDrawn);
  return figure;
}

/// Counts nodes by degree.
std::map<int, int> histogram_of(const std::vector<int>& degrees) {
  std::map<int, int> nodes;
  for (const int degree : degrees) ++nodes[degree];
  return nodes;
}

/// Draws bars for as many ranges of degrees as there is room for.
std::string bars_svg(const std::map<int, int>& nodes, const std::string& title, double left, double width, double top,
                     double height) {
  const int least = nodes.begin()->first, most = nodes.rbegin()->first;
  const int each = (most - least) / static_cast<int>(kBars) + 1;  // degrees of a bar
  std::map<int, int> bars;
  for (const auto& [degree, count] : nodes) bars[(degree - least) / each] += count;
  const int number = (most - least) / each + 1;
  int tallest = 1;
  for (const auto& [bar, count] : bars) tallest = std::max(tallest, count);
  const double dx = std::min(40.0, width / number);
  std::string svg = fmt::format("<text x=\"{:g}\" y=\"{:g}\">{}</text>\n", left, top - 8, html_text(title));
  const int every = (number + 7) / 8;
  for (const auto& [bar, count] : bars) {
    const double x = left + dx * bar, h = height * count / tallest;
    const int degree = least + bar * each;
    const std::string range =
        each == 1 ? fmt::format("{}", degree) : fmt::format("{} to {}", degree, degree + each - 1);
    svg += fmt::format(
        "<g><title>{} nodes of degree {}</title><rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
        "fill=\"#0072b2\"/></g>",
        count, range, x, top + height - h, std::max(1.0, dx - 1), h);
    if (bar % every == 0)
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>", x + dx / 2,
                         top + height + 14, degree);
  }
  return svg +
         fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", left - 5, top + 8, tallest);
}

Figure degree_histograms(const Topology& topology, const std::string& name) {
  const TopologyRound round = topology.round(0);
  std::vector<int> out(round.self_weight.size(), 0), in(out);
  for (const Edge& edge : round.edges) {
    ++out[edge.source];
    ++in[edge.target];
  }
  Figure figure{.name = name, .title = "Nodes by degree", .width = kFrameWidth, .height = 300};
  constexpr double kTop = 62, kHeight = 190, kHalf = 185;
  figure.body = title_svg(figure.title) + "<g font-size=\"11\" fill=\"currentColor\">\n" +
                bars_svg(histogram_of(out), "edges out", 44, kHalf, kTop, kHeight) +
                bars_svg(histogram_of(in), "edges in", 44 + kHalf + 50, kHalf, kTop, kHeight) + "</g>\n";
  if (topology.period() != 1) figure.note = "Of the first round.";
  return figure;
}

std::string rounds_words(const Topology& topology) {
  if (topology.period() == 0) return "drawn anew in every round";
  return topology.period() == 1 ? "the same in every round" : fmt::format("a period of {} rounds", topology.period());
}

std::string mixing_words(const Topology& topology, const std::string& name) {
  std::string words = fmt::format("{}, {} nodes, {}", name, topology.nodes(), rounds_words(topology));
  if (topology.nodes() > kMostNodesMeasured) return words + ".";
  const MixingSpeed speed = mixing_speed(topology);
  words += fmt::format("; spectral gap {:.3g}{}", 1 - speed.rho, speed.estimated ? " (estimated)" : "");
  if (speed.rho < 1)
    words += fmt::format("; what nodes disagree by falls to 1 % in {} of dense gossip",
                         count_words(rounds_to_contract(topology, 0.01), "round"));
  return words + (push_sum_is_idle(topology) ? "; push-sum weights stay 1." : "; push-sum weights leave 1.");
}

}  // namespace

std::optional<TopologyFigure> topology_figure(const RowPanel& panel, const std::string& prefix) {
  for (const ReportRow* row : panel.rows) {
    const Config& config = row->config();
    if (!has_topology(config)) continue;
    const Topology topology = make_topology(config.topology, config.run.nodes, config.run.seed);
    const std::string name = prefix + "topology";
    TopologyFigure result{
        .figure = topology.nodes() <= kMostDrawn ? drawn_topology(topology, name) : degree_histograms(topology, name),
        .words = mixing_words(topology, config.topology.name)};
    result.figure.title = "Topology: " + config.topology.name;
    if (depends_on_seed(config.topology)) result.words += fmt::format(" Of seed {}.", config.run.seed);
    return result;
  }
  return std::nullopt;
}

}  // namespace sparsepush
