#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>

#include <lucivox/base/reporter.h>

namespace lucivox {

// Events on standard error, so that standard output stays for results: notes and warnings as lines, stretches
// as bars with rate and time left, redrawn on a terminal, a line now and then in a log. Values are not shown.
class Terminal final : public Reporter {
 public:
  bool quiet = false;  // only warnings are shown

  Terminal();

  void note(std::string_view line) override;
  void warn(std::string_view line) override;
  Id begin(const Stretch& stretch) override;
  void advance(Id id, std::string_view detail) override;
  void end(Id id) override;
  void values(std::string_view, const Values&) override {}

 private:
  using Clock = std::chrono::steady_clock;
  struct Bar {
    Stretch stretch;
    std::string detail;
    int64_t done = 0;
    Clock::time_point start, drawn;
  };

  void draw(Bar& bar, Clock::time_point now) const;

  const bool terminal_;
  std::mutex mutex_;
  std::map<Id, Bar> bars_;
  Id last_ = 0;
};

}  // namespace lucivox
