// A picture of a report, drawn once: part of the page, and a file of its own.
#pragma once
#include <string>
#include <vector>

namespace sparsepush {

struct Figure {
  std::string name = {};  ///< figures/NAME.svg; letters, digits and ._-
  std::string title = {};
  std::string note = {};         ///< what is left out, or how to read it
  std::string axis = {};         ///< of several that show the same, which one: step, epoch, bytes_wire or seconds
  double width = 0, height = 0;  ///< pixels, as the page has it
  double legend = 0;             ///< pixels below, which only the file has: the page has its own legend
  std::string attributes = {};   ///< of the element, for the page's script
  std::string body = {};         ///< SVG
};

/// The element <svg> as HTML has it.
std::string inline_svg(const Figure& figure);

/// The content of an SVG file, which needs nothing else.
std::string svg_file(const Figure& figure);

/// How the lines of a row look.
struct LineStyle {
  std::string label = {}, colour = {}, dash = {};
  double width = 1.6;  ///< pixels
};

/// `stroke="..." stroke-dasharray="..." stroke-width="..."`
std::string stroke_of(const LineStyle& style);

/// The legend below a chart that is `width` wide, from `top` on; `height` is set to its own.
std::string legend_svg(const std::vector<LineStyle>& styles, double width, double top, double& height);

}  // namespace sparsepush
