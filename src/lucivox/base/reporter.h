#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lucivox {

// A stretch of work whose end is known: "scanning", 128 "slices".
struct Stretch {
  std::string title;
  int64_t total = 0;
  std::string unit;  // of one step, in the plural
};

// Numbers of the work as it is now, by name.
using Values = std::vector<std::pair<std::string, double>>;

// Receives the events of long work; a terminal, a page or a test may be behind it. Events may come from any
// thread; those of one thread come in their order.
class Reporter {
 public:
  // Names a stretch from its begin() to its end(). Of several at a time, each has its own.
  using Id = uint64_t;

  virtual ~Reporter() = default;
  virtual void note(std::string_view line) = 0;
  // What a user should not miss.
  virtual void warn(std::string_view line) = 0;
  virtual Id begin(const Stretch& stretch) = 0;
  // One more step is done; `detail` (a loss, a file) describes it.
  virtual void advance(Id id, std::string_view detail) = 0;
  virtual void end(Id id) = 0;
  virtual void values(std::string_view of, const Values& values) = 0;
};

// Ignores all events.
Reporter& silence();

// A stretch from its beginning until it goes out of scope.
class Progress {
 public:
  Progress(Reporter& reporter, std::string title, int64_t total, std::string unit)
      : reporter_(reporter), id_(reporter.begin({std::move(title), total, std::move(unit)})) {}
  ~Progress() { reporter_.end(id_); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(std::string_view detail = {}) { reporter_.advance(id_, detail); }

 private:
  Reporter& reporter_;
  Reporter::Id id_;
};

}  // namespace lucivox
