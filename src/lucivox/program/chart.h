#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lucivox {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // those that are not finite are left out
  bool faint = false;                             // a thin line behind the others
};

// A vertical line with a label.
struct Marker {
  double x = 0;
  std::string label;
};

struct Chart {
  std::string title, x_label;
  std::vector<Series> series;
  std::vector<Marker> markers;
  bool logarithmic = false;  // the y axis; points of 0 and below are left out
};

// A line chart as SVG to stand inside a page, whose CSS variables --ink, --faint, --grid, --line-1, ...
// colour it.
std::string line_chart(const Chart& chart);

// For text inside HTML and SVG.
std::string escape_html(const std::string& text);

}  // namespace lucivox
