#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <lucivox/base/reporter.h>
#include <lucivox/base/terminal.h>

namespace lucivox {
namespace {

// Keeps every event as a line.
class Record final : public Reporter {
 public:
  void note(std::string_view line) override { events.push_back(fmt::format("note {}", line)); }
  void warn(std::string_view line) override { events.push_back(fmt::format("warn {}", line)); }
  Id begin(const Stretch& stretch) override {
    events.push_back(fmt::format("begin {} {} {}", stretch.title, stretch.total, stretch.unit));
    return ++last_;
  }
  void advance(Id id, std::string_view detail) override {
    events.push_back(fmt::format("advance {} {}", id, detail));
  }
  void end(Id id) override { events.push_back(fmt::format("end {}", id)); }
  void values(std::string_view of, const Values& values) override {
    for (const auto& [name, value] : values) events.push_back(fmt::format("{} {} {}", of, name, value));
  }

  std::vector<std::string> events;

 private:
  Id last_ = 0;
};

TEST(Reporter, IsToldOfAStretchFromItsBeginningToItsEnd) {
  Record record;
  {
    Progress progress(record, "scanning", 2, "slices");
    progress.advance("one");
    record.values("step", {{"loss", 0.5}});
    progress.advance();
  }
  EXPECT_EQ(record.events, (std::vector<std::string>{"begin scanning 2 slices", "advance 1 one",
                                                     "step loss 0.5", "advance 1 ", "end 1"}));
}

std::string shown(Terminal& terminal) {
  ::testing::internal::CaptureStderr();
  terminal.note("a note");
  terminal.warn("a warning");
  {
    Progress outer(terminal, "epoch 1/2", 4, "steps"), inner(terminal, "scanning", 1, "slices");
    std::thread other([&] { outer.advance("loss 0.5"); });
    other.join();
    inner.advance();
  }
  return ::testing::internal::GetCapturedStderr();
}

TEST(Terminal, ShowsLinesAndHowFarEachStretchCame) {
  Terminal terminal;
  const std::string text = shown(terminal);
  EXPECT_THAT(text, ::testing::HasSubstr("a note\nwarning: a warning\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex(R"(scanning +\[#{24}\] 1/1 slices, .*, took )"));
  EXPECT_THAT(text, ::testing::ContainsRegex(R"(epoch 1/2 +\[#{6}\.{18}\] 1/4 steps, .* left  loss 0\.5)"));
}

TEST(Terminal, ThatIsQuietShowsWarningsAlone) {
  Terminal terminal;
  terminal.quiet = true;
  EXPECT_EQ(shown(terminal), "warning: a warning\n");
}

// Steps beyond what was announced leave the bar full.
TEST(Terminal, SurvivesMoreStepsThanAnnounced) {
  Terminal terminal;
  ::testing::internal::CaptureStderr();
  {
    Progress progress(terminal, "more", 1, "steps");
    for (int i = 0; i < 3; ++i) progress.advance();
  }
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::HasSubstr("3/1 steps"));
}

}  // namespace
}  // namespace lucivox
