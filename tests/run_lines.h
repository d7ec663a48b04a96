#pragma once

#include <filesystem>
#include <sstream>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/base/files.h>

// The whole lines of a run's metrics.jsonl, as anybody reads them.
inline std::vector<lucivox::Json> run_lines(const std::filesystem::path& run) {
  std::vector<lucivox::Json> lines;
  if (!std::filesystem::exists(run / "metrics.jsonl")) return lines;
  std::istringstream text(lucivox::read_file(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) {
    lucivox::Json parsed = lucivox::Json::parse(line, nullptr, false);
    if (!parsed.is_discarded()) lines.push_back(std::move(parsed));
  }
  return lines;
}
