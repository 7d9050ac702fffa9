#include "host/reports/line_chart.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sparsepush {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
const std::string kHard = "a_%&#$<>\"'b";
const std::string kEscaped = "a_%&amp;#$&lt;&gt;&quot;&#39;b";

LineChart chart_of(const std::vector<ChartPoint>& points) {
  LineChart chart{.name = "accuracy", .title = "Accuracy", .x_column = "step"};
  chart.x = {.low = 0, .high = 100};
  chart.y = {.low = 0, .high = 1};
  chart.lines.push_back({.style = {.label = "SGP", .colour = "#0072b2"}, .column = "accuracy_mean", .points = points});
  return chart;
}

std::size_t count_in(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// What stands in quotes behind `name=` in the first element that has it behind `after`.
std::string attribute(const std::string& svg, const std::string& after, const std::string& name) {
  const std::size_t begin = svg.find(" " + name + "=\"", svg.find(after)) + name.size() + 3;
  return svg.substr(begin, svg.find('"', begin) - begin);
}

TEST(LineChart, DrawsEveryPointInItsPlace) {
  const std::string svg = inline_svg(draw(chart_of({{0, 0}, {50, 0.5}, {100, 1}})));
  // 480 x 300 pixels, of which 58, 14, 30 and 40 are left, right, top and bottom of the plot.
  EXPECT_EQ(attribute(svg, "<polyline", "points"), "58,260 262,145 466,30");
  EXPECT_EQ(attribute(svg, "<polyline", "data-row"), "SGP");
  EXPECT_EQ(attribute(svg, "<polyline", "data-column"), "accuracy_mean");
  EXPECT_EQ(attribute(svg, "<polyline", "data-x"), "step");
  EXPECT_EQ(attribute(svg, "<svg", "data-range"), "0 100 0 1");
  EXPECT_EQ(attribute(svg, "<svg", "data-plot"), "58 30 408 230");
}

TEST(LineChart, LeavesOutWhatHasNoPlace) {
  LineChart chart = chart_of({{0, 0.1}, {10, kNone}, {kNone, 0.2}, {100, 1}});
  EXPECT_EQ(attribute(draw(chart).body, "<polyline", "points"), "58,237 466,30");
  chart.x = {.is_log = true, .low = 10, .high = 100};
  EXPECT_EQ(attribute(draw(chart).body, "<polyline", "points"), "466,30");
  EXPECT_NE(draw(chart).body.find("d=\"M466 30h0\""), std::string::npos);  // else a single point is not seen
  chart.lines.front().points = {{0, kNone}};
  EXPECT_EQ(draw(chart).body.find("<polyline"), std::string::npos);
}

TEST(LineChart, ShowsFinalRoundsByADotAndAnArrow) {
  LineChart chart = chart_of({{0, 0}, {90, 0.5}, {100, 1}});
  EXPECT_EQ(draw(chart).body.find("class=\"final\""), std::string::npos);
  chart.lines.front().merged = {90, 0.5};
  chart.lines.front().after = {100, 1};
  const std::string svg = draw(chart).body;
  EXPECT_NE(svg.find("class=\"final\""), std::string::npos);
  EXPECT_NE(svg.find("M425.2 145h0"), std::string::npos);
}

TEST(LineChart, DrawsBandsRulesAndSpots) {
  LineChart chart = chart_of({});
  const LineStyle style{.label = "SGP", .colour = "#0072b2"};
  chart.bands.push_back({.style = style, .x = {0, 50, 100}, .low = {0, kNone, 0.5}, .high = {1, 1, 1}});
  chart.rules.push_back({.value = 0.5, .text = "claim"});
  chart.rules.push_back({.is_vertical = true, .value = 1000, .text = "far away"});
  chart.spots.push_back({.style = style, .at = {50, 0.5}, .words = "SGP: 50 %"});
  const std::string svg = draw(chart).body;
  EXPECT_NE(svg.find("d=\"M58,30 466,30 466,145 58,260Z\""), std::string::npos);
  EXPECT_NE(svg.find("class=\"rule\" d=\"M58 145H466\""), std::string::npos);
  EXPECT_EQ(svg.find("far away"), std::string::npos);
  EXPECT_NE(svg.find("<title>SGP: 50 %</title>"), std::string::npos);
}

TEST(LineChart, NamesOfSpotsDoNotOverlap) {
  LineChart chart = chart_of({});
  for (int i = 0; i < 30; ++i)
    chart.spots.push_back({.style = {.label = "row", .colour = "#000"}, .at = {50, 0.5}, .words = "row"});
  const std::string svg = draw(chart).body;
  const std::string words = svg.substr(svg.find("</g>", svg.find("class=\"rim\"")));
  EXPECT_GE(count_in(words, ">row</text>"), 1u);
  EXPECT_LE(count_in(words, ">row</text>"), 6u);
}

TEST(LineChart, DrawsTheRimsOfNamesBelowThem) {
  LineChart chart = chart_of({});
  chart.rules.push_back({.value = 0.7, .text = "claim"});
  chart.spots.push_back({.style = {.label = "row", .colour = "#000"}, .at = {50, 0.5}, .words = "row"});
  const std::string svg = draw(chart).body;
  const std::size_t rim = svg.find("<g class=\"rim\" aria-hidden=\"true\" fill=\"none\" stroke=\"#fff\"");
  ASSERT_GT(rim, svg.find("<g class=\"words\""));
  const std::size_t begin = svg.find("<text", rim), end = svg.find("</g>\n", begin);
  const std::string names = svg.substr(begin, end - begin);
  EXPECT_EQ(count_in(names, "<text"), 2u);
  EXPECT_NE(names.find(">claim</text>"), std::string::npos);
  EXPECT_EQ(svg.substr(end), "</g>\n" + names + "</g>\n");
}

TEST(LineChart, EscapesEveryText) {
  LineChart chart = chart_of({{0, 0}, {1, 1}});
  chart.title = chart.lines.front().style.label = kHard;
  chart.legend = {chart.lines.front().style};
  chart.rules.push_back({.value = 0.5, .text = kHard});
  chart.spots.push_back({.style = {.label = kHard, .colour = "#000"}, .at = {50, 0.2}, .words = kHard});
  const std::string svg = svg_file(draw(chart));
  EXPECT_EQ(svg.find(kHard), std::string::npos);
  EXPECT_EQ(attribute(svg, "<polyline", "data-row"), kEscaped);
  EXPECT_GE(count_in(svg, kEscaped), 6u);
}

TEST(Figures, HaveALegendInTheirFilesOnly) {
  LineChart chart = chart_of({{0, 0}, {100, 1}});
  chart.legend = {chart.lines.front().style};
  const Figure figure = draw(chart);
  EXPECT_EQ(attribute(inline_svg(figure), "<svg", "viewBox"), "0 0 480 300");
  EXPECT_GT(figure.legend, 0);
  EXPECT_EQ(attribute(svg_file(figure), "<svg", "viewBox"), fmt::format("0 0 480 {:g}", 300 + figure.legend));
  EXPECT_NE(svg_file(figure).find("xmlns="), std::string::npos);
  EXPECT_EQ(inline_svg(figure).find("http"), std::string::npos);
  EXPECT_NE(inline_svg(figure).find("<title>Accuracy</title>"), std::string::npos);
}

}  // namespace
}  // namespace sparsepush
