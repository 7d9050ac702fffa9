#include "host/reports/page.h"

#include <fmt/format.h>

#include "host/reports/html_text.h"
#include "host/reports/page_assets.h"

namespace sparsepush {
namespace {

std::string notes_html(const std::vector<std::string>& notes) {
  std::string html;
  for (const std::string& note : notes) html += fmt::format("<p class=\"note\">{}</p>\n", html_text(note));
  return html;
}

std::string legend_button(const LineStyle& style) {
  const std::string label = html_text(style.label);
  return fmt::format(
      "<button type=\"button\" data-row=\"{0}\" aria-pressed=\"true\"><svg class=\"sample\" viewBox=\"0 0 30 8\" "
      "aria-hidden=\"true\"><title>{0}</title><path d=\"M0 4h30\" fill=\"none\" {1}/></svg>{0}</button>\n",
      label, stroke_of(style));
}

std::string legend_html(const std::vector<LineStyle>& styles) {
  std::string html = "<div class=\"rows\" role=\"group\" aria-label=\"Rows\">\n";
  for (const LineStyle& style : styles) html += legend_button(style);
  return html + "</div>\n";
}

std::string group_html(const FigureGroup& group) {
  std::string html = "<figure>\n", note;
  for (const Figure& figure : group.figures) {
    html += fmt::format("<div class=\"variant\" data-axis=\"{}\">{}</div>\n", figure.axis, inline_svg(figure));
    note = figure.note;
  }
  if (!note.empty()) html += fmt::format("<figcaption>{}</figcaption>\n", html_text(note));
  return html + "</figure>\n";
}

std::string panel_html(const PagePanel& panel, std::size_t number) {
  std::string html = fmt::format("<section id=\"panel-{}\">\n<h2>{}</h2>\n", number, html_text(panel.title));
  html += notes_html(panel.notes) + legend_html(panel.legend) + "<div class=\"charts\">\n";
  for (const FigureGroup& group : panel.charts) html += group_html(group);
  html += "</div>\n";
  if (!panel.spread.empty()) {
    html += fmt::format("<h3>Spread over nodes</h3>\n<p class=\"note\">{}</p>\n<div class=\"charts small\">\n",
                        html_text(panel.spread_note));
    for (const Figure& figure : panel.spread) html += group_html({{figure}});
    html += "</div>\n";
  }
  return html + "</section>\n";
}

std::string section_html(const PageSection& section) {
  return fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", html_text(section.title), section.html);
}

/// Returns links to the panels, where there are several.
std::string contents_html(const std::vector<PagePanel>& panels) {
  if (panels.size() < 2) return "";
  std::string html = "<nav aria-label=\"Panels\"><ol>\n";
  for (std::size_t p = 0; p < panels.size(); ++p)
    html += fmt::format("<li><a href=\"#panel-{}\">{}</a></li>\n", p + 1, html_text(panels[p].title));
  return html + "</ol></nav>\n";
}

}  // namespace

std::string page_html(const ReportPage& page) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\" data-sparsepush=\"report\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src "
      "'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>\n{1}</style>\n</head>\n<body>\n<header>\n<h1>{0}</h1>\n<p>{2}</p>\n",
      html_text(page.title), page_style(), html_text(page.summary));
  html += notes_html(page.notes) + contents_html(page.panels) + "</header>\n<main>\n";
  for (const PageSection& section : page.results) html += section_html(section);
  for (std::size_t p = 0; p < page.panels.size(); ++p) html += panel_html(page.panels[p], p + 1);
  for (const PageSection& section : page.settings) html += section_html(section);
  html += "</main>\n<script type=\"application/json\" id=\"rows\">" + page.rows_json + "</script>\n<script>\n";
  html += page_script();
  return html + "</script>\n</body>\n</html>\n";
}

}  // namespace sparsepush
