#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <lucivox/program/chart.h>

namespace lucivox {
namespace {

constexpr double kWidth = 640, kHeight = 300;
constexpr double kLeft = 64, kRight = 16, kTop = 34, kBottom = 46;
constexpr double kLegendRow = 18;
constexpr double kCutOff = 1000;  // beyond the plot, where a line that leaves it keeps its direction
constexpr int kTicks = 5;         // about so many on an axis
constexpr int kColours = 9;       // --line-1 .. --line-9 of the page

// A range of values and where it lies on the page.
struct Axis {
  double low, high, page_low, page_high;

  double at(double value) const { return page_low + (value - low) / (high - low) * (page_high - page_low); }
};

// 1, 2 or 5 times a power of ten, so that about kTicks of them fit.
double tick_step(double span) {
  const double rough = span / kTicks, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

double shown(const Chart& chart, double y) {
  return chart.logarithmic ? std::log10(y) : y;
}

bool drawable(const Chart& chart, const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(shown(chart, point.second)) &&
         !(chart.logarithmic && point.second <= 0);
}

// The range of all drawable points from `first_x` on, a little wider when they are all alike.
template <typename Value>
Axis axis(const Chart& chart, double page_low, double page_high, double first_x, Value value) {
  double low = INFINITY, high = -INFINITY;
  for (const Series& series : chart.series) {
    for (const auto& point : series.points) {
      if (!drawable(chart, point) || point.first < first_x) continue;
      low = std::min(low, value(point));
      high = std::max(high, value(point));
    }
  }
  if (low > high) low = high = 0;
  if (high - low < 1e-9 * std::max(1.0, std::abs(high))) {
    low -= 0.5;
    high += 0.5;
  }
  return {low, high, page_low, page_high};
}

std::string text(double x, double y, const char* anchor, const std::string& content, const char* style = "") {
  return fmt::format(R"svg(<text x="{:.1f}" y="{:.1f}" text-anchor="{}" {}>{}</text>)svg", x, y, anchor,
                     style, escape_html(content));
}

// The multiples of a pleasant step in [low, high].
std::vector<double> ticks(double low, double high) {
  const double step = tick_step(high - low);
  const auto first = std::llround(std::ceil(low / step - 1e-9)),
             last = std::llround(std::floor(high / step + 1e-9));
  std::vector<double> values;
  for (auto i = first; i <= last; ++i) values.push_back(static_cast<double>(i) * step);
  return values;
}

std::string grid(const Chart& chart, const Axis& x, const Axis& y) {
  std::string svg;
  for (const double v : ticks(x.low, x.high)) {
    svg += text(x.at(v), kHeight - kBottom + 16, "middle", fmt::format("{:g}", v));
  }
  for (const double v : ticks(y.low, y.high)) {
    svg +=
        fmt::format(R"svg(<line x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}" stroke="var(--grid)"/>)svg",
                    kLeft, kWidth - kRight, y.at(v), y.at(v));
    const double value = chart.logarithmic ? std::pow(10, v) : v;
    svg += text(kLeft - 6, y.at(v) + 4, "end", fmt::format("{:.3g}", value));
  }
  return svg + text((kLeft + kWidth - kRight) / 2, kHeight - 10, "middle", chart.x_label);
}

// How the series with this index is drawn.
std::string stroke(const Series& series, size_t index) {
  switch (series.stroke) {
    case Stroke::Faint:
      return R"svg(stroke="var(--faint)" stroke-width="1")svg";
    case Stroke::Dashed:
      return R"svg(stroke="var(--ink)" stroke-width="1.5" stroke-dasharray="6 4")svg";
    default:
      return fmt::format(R"svg(stroke="var(--line-{})" stroke-width="2")svg", index % kColours + 1);
  }
}

// The corners of a histogram's outline, whose bins meet halfway between the points.
std::vector<std::pair<double, double>> outline(const std::vector<std::pair<double, double>>& bins) {
  std::vector<std::pair<double, double>> corners;
  for (size_t i = 0; i + 1 < bins.size(); ++i) {
    const double edge = (bins[i].first + bins[i + 1].first) / 2;
    corners.insert(corners.end(), {{edge, bins[i].second}, {edge, bins[i + 1].second}});
  }
  if (bins.empty()) return corners;
  corners.insert(corners.begin(), bins.front());
  corners.push_back(bins.back());
  return corners;
}

std::string line(const Chart& chart, const Series& series, size_t index, const Axis& x, const Axis& y) {
  std::string points, dots;
  for (const auto& point : series.stroke == Stroke::Steps ? outline(series.points) : series.points) {
    if (!drawable(chart, point)) continue;
    const double left = x.at(point.first);
    const double top =
        std::clamp(y.at(shown(chart, point.second)), kTop - kCutOff, kHeight - kBottom + kCutOff);
    points += fmt::format("{:.1f},{:.1f} ", left, top);
    if (series.stroke == Stroke::Dots)
      dots += fmt::format(R"svg(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="var(--line-{})"/>)svg", left, top,
                          index % kColours + 1);
  }
  return fmt::format(
             R"svg(<polyline fill="none" {} stroke-linejoin="round" clip-path="url(#plot)" points="{}"/>)svg",
             stroke(series, index), points) +
         dots;
}

struct Legend {
  std::string svg;
  double bottom = kHeight;  // of the page with it
};

double legend_width(const Series& series) {
  return 6.5 * static_cast<double>(series.name.size()) + 28;
}

Legend legend(const Chart& chart) {
  double all = 0;
  for (const Series& series : chart.series) all += legend_width(series);
  const bool beside_title = all + 8 * static_cast<double>(chart.title.size()) < kWidth - kLeft - kRight;
  double left = beside_title ? kWidth - kRight - all : kLeft, row = beside_title ? 18 : kHeight + 6;
  Legend legend;
  for (size_t i = 0; i < chart.series.size(); ++i) {
    const Series& series = chart.series[i];
    if (!beside_title && left > kLeft && left + legend_width(series) > kWidth) {
      left = kLeft;
      row += kLegendRow;
    }
    legend.svg += fmt::format(R"svg(<line x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}" {}/>)svg", left,
                              left + 14, row, row, stroke(series, i));
    legend.svg += text(left + 18, row + 4, "start", series.name);
    left += legend_width(series);
  }
  if (!beside_title) legend.bottom = row + kLegendRow;
  return legend;
}

std::string marker(const Marker& mark, const Axis& x) {
  const double at = x.at(mark.x);
  return fmt::format(
             R"svg(<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}" stroke="var(--ink)" stroke-dasharray="4 3"/>)svg",
             at, kTop, kHeight - kBottom) +
         text(at + 5, kTop + 12, "start", mark.label);
}

}  // namespace

std::string escape_html(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string line_chart(const Chart& chart) {
  const Axis x = axis(chart, kLeft, kWidth - kRight, -INFINITY, [](const auto& p) { return p.first; });
  const Axis y = axis(chart, kHeight - kBottom, kTop, x.low + chart.unsettled * (x.high - x.low),
                      [&](const auto& p) { return shown(chart, p.second); });
  const Legend key = legend(chart);
  std::string svg = fmt::format(
      R"svg(<svg viewBox="0 0 {} {}" xmlns="http://www.w3.org/2000/svg" role="img" font-size="12" fill="var(--ink)">)svg",
      kWidth, key.bottom);
  svg +=
      text(kLeft, 22, "start", chart.title, R"svg(font-weight="600" font-size="14")svg") + grid(chart, x, y);
  svg += fmt::format(R"svg(<clipPath id="plot"><rect x="{}" y="{}" width="{}" height="{}"/></clipPath>)svg",
                     kLeft, kTop - 1, kWidth - kLeft - kRight, kHeight - kTop - kBottom + 2);
  for (const Marker& mark : chart.markers) svg += marker(mark, x);
  for (size_t i = 0; i < chart.series.size(); ++i) svg += line(chart, chart.series[i], i, x, y);
  return svg + key.svg + "</svg>";
}

}  // namespace lucivox
