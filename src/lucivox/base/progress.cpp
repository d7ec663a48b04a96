#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <lucivox/base/progress.h>
#include <lucivox/base/text.h>

namespace lucivox {
namespace {

// Often enough to feel alive on a terminal, seldom enough to keep a log short.
constexpr auto kTerminalPeriod = std::chrono::milliseconds(200);
constexpr auto kLogPeriod = std::chrono::seconds(15);

}  // namespace

void Console::note(const std::string& line) const {
  if (!quiet) fmt::print(stderr, "{}\n", line);
}

void Console::warn(const std::string& line) const {
  fmt::print(stderr, "warning: {}\n", line);
}

Progress::Progress(const Console& console, std::string title, int64_t total, std::string unit)
    : shown_(!console.quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      start_(Clock::now()),
      drawn_(start_) {}

Progress::~Progress() {
  if (!shown_ || done_ == 0) return;
  draw(Clock::now());
  if (terminal_) fmt::print(stderr, "\n");
}

void Progress::advance(const std::string& detail) {
  ++done_;
  detail_ = detail;
  if (!shown_) return;
  const auto now = Clock::now();
  if (done_ < total_ && now - drawn_ >= (terminal_ ? Clock::duration(kTerminalPeriod) : kLogPeriod))
    draw(now);
}

void Progress::draw(Clock::time_point now) {
  drawn_ = now;
  const double elapsed = std::chrono::duration<double>(now - start_).count();
  const double rate = static_cast<double>(done_) / (elapsed > 0 ? elapsed : 1e-9);
  const std::string speed =
      rate >= 1 ? fmt::format("{:.1f} {}/s", rate, unit_) : fmt::format("{:.1f} s a step", 1 / rate);
  const std::string time = done_ < total_
                               ? human_seconds(static_cast<double>(total_ - done_) / rate) + " left"
                               : "took " + human_seconds(elapsed);
  constexpr int kWidth = 24;
  const int filled = total_ > 0 ? static_cast<int>(kWidth * done_ / total_) : 0;
  const std::string bar =
      std::string(static_cast<size_t>(filled), '#') + std::string(static_cast<size_t>(kWidth - filled), '.');
  fmt::print(stderr, "{}{:<22} [{}] {}/{} {}, {}, {}{}{}", terminal_ ? "\r\033[K" : "", title_, bar, done_,
             total_, unit_, speed, time, detail_.empty() ? "" : "  " + detail_, terminal_ ? "" : "\n");
  std::fflush(stderr);
}

}  // namespace lucivox
