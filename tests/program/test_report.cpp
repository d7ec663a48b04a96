#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

#include <gtest/gtest.h>
#include <tests/temporary_folder.h>

#include <lucivox/base/files.h>
#include <lucivox/program/chart.h>
#include <lucivox/program/report.h>

namespace lucivox {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(LineChart, LeavesOutWhatIsNoNumber) {
  const std::string svg = line_chart({"t", "x", {{"s", {{0, 1}, {1, NAN}, {2, INFINITY}, {3, 4}}}}, {}});
  EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
  EXPECT_EQ(svg.find("inf"), std::string::npos) << svg;
}

TEST(LineChart, DrawsDegenerateSeries) {
  for (const Series& series :
       {Series{"none", {}}, Series{"one", {{3, 5}}}, Series{"alike", {{0, 2}, {1, 2}, {2, 2}}}}) {
    for (const bool logarithmic : {false, true}) {
      const std::string svg = line_chart({"t", "x", {series}, {}, logarithmic});
      EXPECT_EQ(svg.find("nan"), std::string::npos) << svg;
      EXPECT_TRUE(svg.ends_with("</svg>"));
    }
  }
}

// The largest value is at the top, the smallest at the bottom of the plot.
TEST(LineChart, PutsLargerValuesHigher) {
  const std::string svg = line_chart({"t", "x", {{"s", {{0, 0}, {1, 10}}}}, {}});
  const size_t at = svg.find("points=\"") + 8;
  const std::string points = svg.substr(at, svg.find('"', at) - at);
  double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  ASSERT_EQ(std::sscanf(points.c_str(), "%lf,%lf %lf,%lf", &x0, &y0, &x1, &y1), 4) << points;
  EXPECT_LT(x0, x1);
  EXPECT_GT(y0, y1);
}

// Three bins of width 1 around 0, 1 and 2: the outline changes height at 0.5 and 1.5.
TEST(LineChart, OutlinesHistograms) {
  const std::string svg =
      line_chart({"t", "x", {{"s", {{0, 1}, {1, 3}, {2, 2}}, Stroke::Steps}, {"o", {{0, 0}}}}, {}});
  const size_t at = svg.find("points=\"") + 8;
  std::istringstream points(svg.substr(at, svg.find('"', at) - at));
  std::vector<double> x, y;
  char comma = 0;
  for (double one = 0, other = 0; points >> one >> comma >> other;) {
    x.push_back(one);
    y.push_back(other);
  }
  ASSERT_EQ(x.size(), 6U);
  EXPECT_NEAR(x[1], x[0] + (x[5] - x[0]) / 4, 0.11);
  EXPECT_EQ(x[1], x[2]);
  EXPECT_NEAR(x[3], x[0] + (x[5] - x[0]) * 3 / 4, 0.11);
  EXPECT_EQ(y[0], y[1]);
  EXPECT_EQ(y[2], y[3]);
  EXPECT_EQ(y[4], y[5]);
  EXPECT_LT(y[2], y[4]);
  EXPECT_LT(y[4], y[0]);
}

// A legend that is wider than the page goes below the plot, and the page grows with it.
TEST(LineChart, KeepsALongLegendInsideThePage) {
  std::vector<Series> many;
  for (int i = 0; i < 9; ++i) many.push_back({"magnitude-global", {{0, i}, {1, i}}, Stroke::Dots});
  for (const Chart& chart : {Chart{"t", "x", many, {}}, Chart{"t", "x", {many[0]}, {}}}) {
    const std::string svg = line_chart(chart);
    double width = 0, height = 0;
    ASSERT_EQ(std::sscanf(svg.c_str(), "<svg viewBox=\"0 0 %lf %lf\"", &width, &height), 2);
    size_t names = 0;
    for (size_t at = svg.find("<text"); at != std::string::npos; at = svg.find("<text", at + 1)) {
      if (svg.compare(svg.find('>', at) + 1, 9, "magnitude") != 0) continue;
      double x = 0, y = 0;
      ASSERT_EQ(std::sscanf(svg.c_str() + at, "<text x=\"%lf\" y=\"%lf\"", &x, &y), 2);
      EXPECT_GT(x, 0);
      EXPECT_LT(x + 6.5 * 16, width + 1);
      EXPECT_LT(y, height);
      ++names;
    }
    EXPECT_EQ(names, chart.series.size());
  }
}

TEST(TrainingCharts, MarkWhereTheNetworkWasPruned) {
  StepRecord step;
  EpochRecord epoch;
  PruningRecord pruning;
  step.step = epoch.step = pruning.step = 1;
  step.loss = epoch.loss = 0.5;
  epoch.validation = ValidationRecord{{.psnr = 30}, 0.4};
  const auto charts = training_charts({step, epoch, pruning}, Units::Unknown);
  ASSERT_FALSE(charts.empty());
  EXPECT_NE(charts[0].find(">pruned<"), std::string::npos);
  EXPECT_TRUE(training_charts({}, Units::Unknown).empty());
}

const std::string& chart_titled(const std::vector<std::string>& charts, const std::string& title) {
  static const std::string none;
  const auto chart = std::find_if(charts.begin(), charts.end(), [&](const std::string& svg) {
    return svg.find(">" + title + "<") != std::string::npos;
  });
  return chart == charts.end() ? none : *chart;
}

// The y coordinate of the first point of the last line.
double first_y(const std::string& svg) {
  double x = 0, y = NAN;
  const size_t at = svg.rfind("points=\"");
  if (at != std::string::npos) std::sscanf(svg.c_str() + at, "points=\"%lf,%lf", &x, &y);
  return y;
}

// Of RMSE the first wild epochs are cut off at the top; of the learning rate nothing is, though it falls,
// too.
TEST(TrainingCharts, CutOffWildEpochsButNoLearningRate) {
  RunRecords records;
  for (int number = 0; number < 12; ++number) {
    const double falling = std::pow(10, -number);
    EpochRecord epoch;
    epoch.step = number + 1;
    epoch.loss = 1;
    epoch.validation = ValidationRecord{{.rmse = falling}, 0};
    epoch.learning_rate = falling;
    records.push_back(epoch);
  }
  const auto charts = training_charts(records, Units::HU);
  EXPECT_LT(first_y(chart_titled(charts, "Validation RMSE, HU")), 0);
  EXPECT_GT(first_y(chart_titled(charts, "Learning rate")), 0);
}

TEST(Report, OpensWithNoNetworkAndRunsNoScript) {
  const TemporaryFolder folder;
  write_report(folder.path(), {"<script>alert(1)</script>",
                               "a & b",
                               {{"t", {"h"}, {{"<b>"}}}},
                               {{"\"caption\"", "png"}},
                               {line_chart({"c", "x", {}, {}})},
                               {{"key", "</pre>"}}});
  const std::string html = read_file(folder / "report.html");
  EXPECT_EQ(html.find("<script>"), std::string::npos);
  EXPECT_EQ(count(html, "</pre>"), 1U);
  EXPECT_EQ(count(html, "https://"), 0U);
  EXPECT_EQ(count(html, "http://"), count(html, "http://www.w3.org/2000/svg")) << "only the name space";
  EXPECT_NE(html.find("a &amp; b"), std::string::npos);
}

}  // namespace
}  // namespace lucivox
