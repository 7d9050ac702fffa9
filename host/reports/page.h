// The page of a report: one HTML file that needs nothing else.
#pragma once
#include <string>
#include <vector>

#include "host/reports/metric_charts.h"

namespace sparsepush {

/// Charts of rows that can be compared.
struct PagePanel {
  std::string title = {};
  std::vector<std::string> notes = {};
  std::vector<LineStyle> legend = {};
  std::vector<FigureGroup> charts = {};
  std::vector<Figure> spread = {};  ///< small ones, a row each
  std::string spread_note = {};
};

/// A table below a heading.
struct PageSection {
  std::string title = {}, html = {};
};

struct ReportPage {
  std::string title = {}, summary = {};
  std::vector<std::string> notes = {};    ///< what is left out
  std::vector<PageSection> results = {};  ///< above the charts
  std::vector<PagePanel> panels = {};
  std::vector<PageSection> settings = {};  ///< below them
  std::string rows_json = {};
};

std::string page_html(const ReportPage& page);

}  // namespace sparsepush
