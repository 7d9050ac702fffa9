#include "host/reports/figure.h"

#include <fmt/format.h>

#include <algorithm>

#include "host/reports/html_text.h"

namespace sparsepush {
namespace {

constexpr double kLineHeight = 17, kSample = 26, kLegendMargin = 12;  // pixels, of a legend
constexpr double kCharacter = 6.1;                                    // pixels of a letter, about

std::string contents_of(const Figure& figure) {
  return fmt::format("<title>{}</title>\n{}", html_text(figure.title), figure.body);
}

}  // namespace

std::string inline_svg(const Figure& figure) {
  return fmt::format(
      "<svg viewBox=\"0 0 {0:g} {1:g}\" role=\"img\" data-name=\"{2}\" data-height=\"{3:g}\"{4}>{5}</svg>\n",
      figure.width, figure.height, figure.name, figure.height + figure.legend, figure.attributes, contents_of(figure));
}

std::string svg_file(const Figure& figure) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" viewBox=\"0 0 {0:g} {1:g}\" "
      "data-sparsepush=\"figure\" font-family=\"system-ui, sans-serif\" color=\"#1c2126\" role=\"img\">\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{2}</svg>\n",
      figure.width, figure.height + figure.legend, contents_of(figure));
}

std::string stroke_of(const LineStyle& style) {
  const std::string dash = style.dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", style.dash);
  return fmt::format("stroke=\"{}\" stroke-width=\"{:g}\"{}", style.colour, style.width, dash);
}

std::string legend_svg(const std::vector<LineStyle>& styles, double width, double top, double& height) {
  std::size_t longest = 0;
  for (const LineStyle& style : styles) longest = std::max(longest, style.label.size());
  const auto room = [&](int columns) {
    return static_cast<std::size_t>(((width - 2 * kLegendMargin) / columns - kSample - 12) / kCharacter);
  };
  const int columns = longest <= room(3) ? 3 : longest <= room(2) ? 2 : 1;
  const std::size_t lines = (styles.size() + columns - 1) / columns;
  std::string svg = "<g class=\"legend\" font-size=\"11\" fill=\"currentColor\">\n";
  for (std::size_t i = 0; i < styles.size(); ++i) {
    const double x = kLegendMargin + static_cast<double>(i / lines) * (width - 2 * kLegendMargin) / columns;
    const double y = top + kLineHeight * (static_cast<double>(i % lines) + 0.5);
    svg += fmt::format("<path d=\"M{0:g} {1:g}h{2:g}\" fill=\"none\" {3}/><text x=\"{4:g}\" y=\"{5:g}\">{6}</text>\n",
                       x, y, kSample, stroke_of(styles[i]), x + kSample + 6, y + 4,
                       html_text(shortened(styles[i].label, room(columns))));
  }
  height = kLineHeight * static_cast<double>(lines) + 8;
  return svg + "</g>\n";
}

}  // namespace sparsepush
