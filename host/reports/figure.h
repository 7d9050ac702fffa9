// A picture of a report, drawn once: part of the page, and a file of its own.
#pragma once
#include <string>
#include <vector>

namespace sparsepush {

struct Figure {
  std::string name = {};  ///< figures/NAME.svg; letters, digits and ._-
  std::string title = {};
  std::string note = {};         ///< what is left out, or how to read it
  std::string axis = {};         ///< which axis it has, where several show the same: step, epoch, bytes_wire or seconds
  double width = 0, height = 0;  ///< pixels, as the page has it
  double legend = 0;             ///< pixels below, which only the file has: the page has its own legend
  std::string attributes = {};   ///< attributes of the element <svg>, for the page's script
  std::string body = {};         ///< SVG
};

/// Returns the element <svg> as HTML has it.
std::string inline_svg(const Figure& figure);

/// Returns the content of an SVG file, which needs nothing else.
std::string svg_file(const Figure& figure);

/// How the lines of a row look.
struct LineStyle {
  std::string label = {}, colour = {}, dash = {};
  double width = 1.6;  ///< pixels
};

/// Returns the attributes `stroke="..." stroke-width="..." stroke-dasharray="..."`.
std::string stroke_of(const LineStyle& style);

/// Draws the legend below a chart that is `width` pixels wide, from `top` on; sets `height` to that of the legend.
std::string legend_svg(const std::vector<LineStyle>& styles, double width, double top, double& height);

}  // namespace sparsepush
