#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace lucivox {

// Where a long task tells how it goes: standard error, so that standard output stays for results.
// With `quiet` only warnings are printed.
struct Console {
  bool quiet = false;

  void note(const std::string& line) const;
  void warn(const std::string& line) const;
};

// A bar with rate and time left: one line redrawn on a terminal, a line now and then in a log.
class Progress {
 public:
  // `unit` names one step: "slices", "steps".
  Progress(const Console& console, std::string title, int64_t total, std::string unit);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // One more step is done; `detail` (a loss, a file) is shown behind the bar.
  void advance(const std::string& detail = {});

 private:
  using Clock = std::chrono::steady_clock;
  void draw(Clock::time_point now);

  bool shown_, terminal_;
  std::string title_, unit_, detail_;
  int64_t total_, done_ = 0;
  Clock::time_point start_, drawn_;
};

}  // namespace lucivox
