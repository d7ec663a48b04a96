#pragma once

#include <string>
#include <utility>
#include <vector>

namespace lucivox {

enum class Stroke {
  Line,
  Faint,   // a thin line behind the others
  Dashed,  // a level to compare with
  Dots,    // a line with its points
  Steps,   // a histogram's outline: bins around the points
};

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // those that are not finite are left out
  Stroke stroke = Stroke::Line;
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
  // The part of the x axis, from its beginning, whose points do not widen the y axis: the first wild epochs
  // of a training would flatten all that follows. What lies outside the plot is cut off at its edge.
  double unsettled = 0;
};

// A line chart as SVG to stand inside a page, whose CSS variables --ink, --faint, --grid, --line-1, ...
// --line-9 colour it. The legend stands beside the title, or below the plot where it is long.
std::string line_chart(const Chart& chart);

// For text inside HTML and SVG.
std::string escape_html(const std::string& text);

}  // namespace lucivox
