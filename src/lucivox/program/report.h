#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/image/image.h>
#include <lucivox/train/records.h>

namespace lucivox {

struct ReportTable {
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

struct ReportPicture {
  std::string caption;
  std::string png;  // the bytes of the file
};

// A page about one run.
struct ReportContent {
  std::string title, subtitle;
  std::vector<ReportTable> tables;
  std::vector<ReportPicture> pictures;
  std::vector<std::string> charts;  // SVG
  Json configuration;
};

// The charts of a training from its records: loss, validation, learning rate, time;
// the steps at which the network was pruned are marked. `units`: of the images, and so of RMSE.
std::vector<std::string> training_charts(const RunRecords& records, Units units);

// Writes folder/report.html, one file that opens with no network. Throws Error.
void write_report(const std::filesystem::path& folder, const ReportContent& content);

}  // namespace lucivox
