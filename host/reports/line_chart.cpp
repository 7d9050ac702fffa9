#include "host/reports/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "host/reports/html_text.h"

namespace sparsepush {
namespace {

constexpr double kPlotLeft = 58, kPlotRight = 14, kPlotTop = 30, kPlotBottom = 40;  // pixels around the plot
constexpr int kTicksAcross = 6, kTicksUp = 5;
constexpr const char* kStill = " vector-effect=\"non-scaling-stroke\"";  // when the page zooms

/// Returns a pixel as text, without needless digits.
std::string pixel(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.erase(text.size() - 2);
  return text == "-0" ? "0" : text;
}

/// One chart with its axes in place.
class Drawing {
 public:
  explicit Drawing(const LineChart& chart) : chart_(chart), x_(chart.x), y_(chart.y) {
    x_.begin = kPlotLeft;
    x_.length = chart.width - kPlotLeft - kPlotRight;
    y_.begin = chart.height - kPlotBottom;
    y_.length = -(chart.height - kPlotTop - kPlotBottom);
  }

  std::string attributes() const {
    const auto form = [](NumberForm f) {
      return f == NumberForm::kPercent ? "percent" : f == NumberForm::kBytes ? "bytes" : "plain";
    };
    return fmt::format(
        " data-x=\"{}\" data-forms=\"{} {}\" data-logs=\"{} {}\" data-plot=\"{} {} {} {}\" "
        "data-range=\"{:.9g} {:.9g} {:.9g} {:.9g}\"",
        chart_.x_column, form(x_.form), form(y_.form), x_.is_log ? 1 : 0, y_.is_log ? 1 : 0, kPlotLeft, kPlotTop,
        x_.length, -y_.length, x_.low, x_.high, y_.low, y_.high);
  }

  std::string body() const {
    std::string svg = fmt::format(
        "<clipPath id=\"clip-{0}\"><rect x=\"{1}\" y=\"{2}\" width=\"{3}\" height=\"{4}\"/></clipPath>\n"
        "<text x=\"{5}\" y=\"17\" font-size=\"13\" font-weight=\"600\" fill=\"currentColor\">{6}</text>\n",
        chart_.name, pixel(kPlotLeft), pixel(kPlotTop - 1), pixel(x_.length), pixel(-y_.length + 2), 10,
        html_text(shortened(chart_.title, title_room())));
    svg += ticks();
    svg += fmt::format("<g clip-path=\"url(#clip-{})\"><g class=\"plot\" fill=\"none\" stroke-linejoin=\"round\">\n",
                       chart_.name);
    for (const ChartBand& band : chart_.bands) svg += band_svg(band);
    svg += staircase_svg();
    for (const ChartRule& rule : chart_.rules) svg += rule_svg(rule);
    for (const ChartLine& line : chart_.lines) svg += line_svg(line);
    for (const ChartSpot& spot : chart_.spots) svg += spot_svg(spot);
    return svg + "</g></g>\n" + words();
  }

 private:
  std::size_t title_room() const { return static_cast<std::size_t>((chart_.width - 20) / 7.2); }

  std::string ticks() const {
    std::string lines = "<g class=\"grid\" stroke=\"currentColor\" stroke-opacity=\".13\">";
    std::string texts = "<g class=\"ticks\" font-size=\"11\" fill=\"currentColor\" fill-opacity=\".8\">";
    const double right = kPlotLeft + x_.length, bottom = chart_.height - kPlotBottom;
    for (const AxisTick& tick : ticks_of(x_, chart_.width < 400 ? kTicksAcross - 2 : kTicksAcross)) {
      const std::string x = pixel(x_.at(tick.value));
      lines += fmt::format("<path d=\"M{} {}V{}\"/>", x, pixel(kPlotTop), pixel(bottom));
      constexpr double kHalfCharacter = 3.1;  // pixels: the last number ends within the picture
      const double most = chart_.width - 2 - kHalfCharacter * static_cast<double>(tick.text.size());
      texts += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                           pixel(std::min(x_.at(tick.value), most)), pixel(bottom + 15), tick.text);
    }
    for (const AxisTick& tick : ticks_of(y_, kTicksUp)) {
      const double y = y_.at(tick.value);
      lines += fmt::format("<path d=\"M{} {}H{}\"/>", pixel(kPlotLeft), pixel(y), pixel(right));
      texts += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>", pixel(kPlotLeft - 6), pixel(y + 4),
                           tick.text);
    }
    const std::string title =
        fmt::format("<text x=\"{}\" y=\"{}\" font-size=\"11\" text-anchor=\"middle\" fill=\"currentColor\">{}</text>\n",
                    pixel(kPlotLeft + x_.length / 2), pixel(chart_.height - 7), html_text(x_.title));
    return lines + "</g>\n" + texts + "</g>\n" + title;
  }

  std::string place(double x, double y) const { return pixel(x_.at(x)) + "," + pixel(y_.at(y)); }

  std::string line_svg(const ChartLine& line) const {
    std::string points;
    ChartPoint last;
    for (const ChartPoint& p : line.points) {
      if (!x_.takes(p.x) || !y_.takes(p.y)) continue;
      if (!points.empty()) points += ' ';
      points += place(p.x, p.y);
      last = p;
    }
    if (points.empty()) return "";
    std::string svg =
        fmt::format("<polyline data-row=\"{}\" data-column=\"{}\" data-x=\"{}\" {}{} points=\"{}\"/>\n",
                    html_text(line.style.label), line.column, chart_.x_column, stroke_of(line.style), kStill, points);
    if (points.find(' ') == std::string::npos) svg += dot(line.style, last, 4);
    return svg + final_rounds_svg(line);
  }

  /// Draws a dot where final rounds begin, and an arrow to what they end with.
  std::string final_rounds_svg(const ChartLine& line) const {
    if (!line.merged || !line.after) return "";
    const ChartPoint from = *line.merged, to = *line.after;
    if (!x_.takes(from.x) || !y_.takes(from.y) || !x_.takes(to.x) || !y_.takes(to.y)) return "";
    const double dx = x_.at(to.x) - x_.at(from.x), dy = y_.at(to.y) - y_.at(from.y);
    const double length = std::hypot(dx, dy);
    std::string svg = dot(line.style, from, 6);
    if (length < 4) return svg;
    constexpr double kHead = 7, kSide = 0.45;  // pixels; of these
    const double ux = dx / length * std::min(kHead, length), uy = dy / length * std::min(kHead, length);
    const double x = x_.at(to.x), y = y_.at(to.y);
    const auto corner = [&](double side) {
      return pixel(x - ux - side * kSide * uy) + " " + pixel(y - uy + side * kSide * ux);
    };
    return svg + fmt::format(
                     "<path class=\"final\" data-row=\"{}\" d=\"M{}L{} {}L{}\" stroke=\"{}\" "
                     "stroke-width=\"1.6\"{}/>\n",
                     html_text(line.style.label), corner(1), pixel(x), pixel(y), corner(-1), line.style.colour, kStill);
  }

  /// Draws a line without length and with round ends, which stays round when the page zooms.
  std::string dot(const LineStyle& style, const ChartPoint& at, double size) const {
    if (!x_.takes(at.x) || !y_.takes(at.y)) return "";
    return fmt::format(
        "<path data-row=\"{}\" d=\"M{} {}h0\" stroke=\"{}\" stroke-width=\"{:g}\" "
        "stroke-linecap=\"round\"{}/>\n",
        html_text(style.label), pixel(x_.at(at.x)), pixel(y_.at(at.y)), style.colour, size, kStill);
  }

  std::string spot_svg(const ChartSpot& spot) const {
    if (!x_.takes(spot.at.x) || !y_.takes(spot.at.y)) return "";
    const auto mark = [&](const std::string& colour, double size) {
      return fmt::format("<path d=\"M{} {}h0\" stroke=\"{}\" stroke-width=\"{:g}\" stroke-linecap=\"round\"{}/>",
                         pixel(x_.at(spot.at.x)), pixel(y_.at(spot.at.y)), colour, size, kStill);
    };
    std::string svg = fmt::format("<g class=\"spot\" data-row=\"{}\"><title>{}</title>", html_text(spot.style.label),
                                  html_text(spot.words));
    if (spot.is_ringed)
      svg += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"8\" stroke=\"{}\"{}/>", pixel(x_.at(spot.at.x)),
                         pixel(y_.at(spot.at.y)), spot.style.colour, kStill);
    svg += mark(spot.style.colour, spot.is_strong ? 10 : 6);
    return svg + "</g>\n";
  }

  std::string band_svg(const ChartBand& band) const {
    std::string up;
    std::vector<std::string> back;  // along the lower line
    const auto within = [&](double y) { return std::clamp(y_.at(y), kPlotTop - 9, chart_.height - kPlotBottom + 9); };
    for (std::size_t i = 0; i < band.x.size(); ++i) {
      if (!x_.takes(band.x[i]) || !std::isfinite(band.low[i]) || !y_.takes(band.high[i])) continue;
      const std::string x = pixel(x_.at(band.x[i]));
      const double low = y_.takes(band.low[i]) ? within(band.low[i]) : chart_.height - kPlotBottom + 9;
      up += fmt::format("{}{},{}", up.empty() ? "M" : " ", x, pixel(within(band.high[i])));
      back.push_back(fmt::format(" {},{}", x, pixel(low)));
    }
    if (up.empty()) return "";
    std::ranges::reverse(back);
    return fmt::format("<path data-row=\"{}\" d=\"{}{}Z\" fill=\"{}\" fill-opacity=\"{:g}\"/>\n",
                       html_text(band.style.label), up, fmt::join(back, ""), band.style.colour, band.opacity);
  }

  std::string staircase_svg() const {
    std::string path;
    double last = 0;
    for (const ChartPoint& p : chart_.staircase) {
      if (!x_.takes(p.x) || !y_.takes(p.y)) continue;
      path += path.empty() ? "M" : fmt::format("L{}L", place(p.x, last));
      path += place(p.x, p.y);
      last = p.y;
    }
    if (path.empty()) return "";
    return fmt::format("<path d=\"{}L{}\" stroke=\"currentColor\" stroke-opacity=\".35\"{}/>\n", path,
                       place(x_.high, last), kStill);
  }

  bool is_inside(const ChartRule& rule) const {
    const ChartAxis& axis = rule.is_vertical ? x_ : y_;
    return axis.takes(rule.value) && rule.value >= axis.low && rule.value <= axis.high;
  }

  std::string rule_svg(const ChartRule& rule) const {
    if (!is_inside(rule)) return "";
    const std::string path =
        rule.is_vertical
            ? fmt::format("M{} {}V{}", pixel(x_.at(rule.value)), pixel(kPlotTop), pixel(chart_.height - kPlotBottom))
            : fmt::format("M{} {}H{}", pixel(kPlotLeft), pixel(y_.at(rule.value)), pixel(kPlotLeft + x_.length));
    return fmt::format("<path class=\"rule\" d=\"{}\" stroke=\"currentColor\" stroke-dasharray=\"3 3\"{}/>\n", path,
                       kStill);
  }

  /// Returns names of points where there is room, and of the lines across. The page hides them while a chart is zoomed.
  std::string words() const {
    struct Box {
      double left, top, right, bottom;
    };
    std::vector<Box> taken;
    for (const ChartSpot& spot : chart_.spots)
      if (x_.takes(spot.at.x) && y_.takes(spot.at.y)) {
        const double x = x_.at(spot.at.x), y = y_.at(spot.at.y);
        taken.push_back({x - 5, y - 5, x + 5, y + 5});
      }
    const auto fits = [&](const Box& box) {
      const bool inside = box.left >= kPlotLeft && box.right <= chart_.width - 2 && box.top >= kPlotTop &&
                          box.bottom <= chart_.height - kPlotBottom;
      return inside && std::ranges::none_of(taken, [&](const Box& other) {
               return box.left < other.right && other.left < box.right && box.top < other.bottom &&
                      other.top < box.bottom;
             });
    };
    std::string svg;
    const auto write = [&](const std::string& text, const std::string& row, const std::vector<ChartPoint>& corners) {
      const std::string shown = shortened(text, 34);
      const double width = 5.6 * static_cast<double>(std::min<std::size_t>(shown.size(), 34)), height = 12;
      for (const ChartPoint& corner : corners) {  // left and top, where left < 0 counts from the right
        const double left = corner.x < 0 ? -corner.x - width : corner.x;
        const Box box{left, corner.y, left + width, corner.y + height};
        if (!fits(box)) continue;
        taken.push_back(box);
        svg += fmt::format("<text{} x=\"{}\" y=\"{}\">{}</text>",
                           row.empty() ? "" : fmt::format(" data-row=\"{}\"", html_text(row)), pixel(left),
                           pixel(corner.y + 10), html_text(shown));
        return;
      }
    };
    for (const ChartRule& rule : chart_.rules) {
      if (!is_inside(rule)) continue;
      const double right = kPlotLeft + x_.length, x = x_.at(rule.value), y = y_.at(rule.value);
      if (rule.is_vertical)
        write(rule.text, "",
              {{x + 4, kPlotTop + 2}, {-(x - 4), kPlotTop + 2}, {x + 4, kPlotTop + 16}, {-(x - 4), kPlotTop + 16}});
      else
        write(rule.text, "",
              {{-(right - 3), y + 2}, {-(right - 3), y - 13}, {kPlotLeft + 3, y + 2}, {kPlotLeft + 3, y - 13}});
    }
    std::vector<ChartSpot> spots = chart_.spots;  // what matters most is named first
    std::ranges::stable_sort(spots, std::greater(),
                             [](const ChartSpot& spot) { return 2 * spot.is_ringed + spot.is_strong; });
    for (const ChartSpot& spot : spots) {
      if (!x_.takes(spot.at.x) || !y_.takes(spot.at.y)) continue;
      const double x = x_.at(spot.at.x), y = y_.at(spot.at.y);
      write(
          spot.style.label, spot.style.label,
          {{x + 8, y - 6}, {-(x - 8), y - 6}, {x + 4, y + 6}, {x + 4, y - 18}, {-(x - 4), y + 6}, {-(x - 4), y - 18}});
    }
    if (svg.empty()) return "";
    // Words have a rim of the paper's colour, which the page's style knows. The rim has elements of its own: few
    // renderers know paint-order.
    return fmt::format(
        "<g class=\"words\" font-size=\"10\" fill=\"currentColor\">\n"
        "<g class=\"rim\" aria-hidden=\"true\" fill=\"none\" stroke=\"#fff\" stroke-width=\"3\" "
        "stroke-linejoin=\"round\">{0}</g>\n{0}</g>\n",
        svg);
  }

  const LineChart& chart_;
  ChartAxis x_, y_;
};

}  // namespace

Figure draw(const LineChart& chart) {
  const Drawing drawing(chart);
  Figure figure{.name = chart.name,
                .title = chart.title,
                .note = chart.note,
                .axis = chart.x_column,
                .width = chart.width,
                .height = chart.height,
                .attributes = drawing.attributes(),
                .body = drawing.body()};
  if (!chart.legend.empty()) figure.body += legend_svg(chart.legend, chart.width, chart.height + 2, figure.legend);
  return figure;
}

}  // namespace sparsepush
