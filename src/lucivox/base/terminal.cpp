#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include <lucivox/base/terminal.h>
#include <lucivox/base/text.h>

namespace lucivox {
namespace {

// Often enough to feel alive on a terminal, seldom enough to keep a log short.
constexpr auto kTerminalPeriod = std::chrono::milliseconds(200);
constexpr auto kLogPeriod = std::chrono::seconds(15);

}  // namespace

Terminal::Terminal() : terminal_(isatty(STDERR_FILENO) == 1) {}

void Terminal::note(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (!quiet) fmt::print(stderr, "{}\n", line);
}

void Terminal::warn(std::string_view line) {
  const std::lock_guard lock(mutex_);
  fmt::print(stderr, "warning: {}\n", line);
}

Reporter::Id Terminal::begin(const Stretch& stretch) {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  bars_.emplace(++last_, Bar{stretch, {}, 0, now, now});
  return last_;
}

void Terminal::advance(Id id, std::string_view detail) {
  const std::lock_guard lock(mutex_);
  Bar& bar = bars_.at(id);
  ++bar.done;
  bar.detail = detail;
  const auto now = Clock::now();
  if (bar.done < bar.stretch.total &&
      now - bar.drawn >= (terminal_ ? Clock::duration(kTerminalPeriod) : kLogPeriod))
    draw(bar, now);
}

void Terminal::end(Id id) {
  const std::lock_guard lock(mutex_);
  auto bar = bars_.extract(id);
  if (quiet || bar.mapped().done == 0) return;
  draw(bar.mapped(), Clock::now());
  if (terminal_) fmt::print(stderr, "\n");
}

void Terminal::draw(Bar& bar, Clock::time_point now) const {
  if (quiet) return;
  bar.drawn = now;
  const auto& [title, total, unit] = bar.stretch;
  const double elapsed = std::chrono::duration<double>(now - bar.start).count();
  const double rate = static_cast<double>(bar.done) / (elapsed > 0 ? elapsed : 1e-9);
  const std::string speed =
      rate >= 1 ? fmt::format("{:.1f} {}/s", rate, unit) : fmt::format("{:.1f} s per step", 1 / rate);
  const std::string time = bar.done < total
                               ? human_seconds(static_cast<double>(total - bar.done) / rate) + " left"
                               : "took " + human_seconds(elapsed);
  constexpr int64_t kWidth = 24;
  const int64_t filled = total > 0 ? std::min(kWidth, kWidth * bar.done / total) : 0;
  fmt::print(stderr, "{}{:<22} [{:#<{}}{:.<{}}] {}/{} {}, {}, {}{}{}", terminal_ ? "\r\033[K" : "", title, "",
             filled, "", kWidth - filled, bar.done, total, unit, speed, time,
             bar.detail.empty() ? "" : "  " + bar.detail, terminal_ ? "" : "\n");
  std::fflush(stderr);
}

}  // namespace lucivox
