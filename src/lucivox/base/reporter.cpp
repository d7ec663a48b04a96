#include <lucivox/base/reporter.h>

namespace lucivox {
namespace {

class Silence final : public Reporter {
  void note(std::string_view) override {}
  void warn(std::string_view) override {}
  Id begin(const Stretch&) override { return 0; }
  void advance(Id, std::string_view) override {}
  void end(Id) override {}
  void values(std::string_view, const Values&) override {}
};

}  // namespace

Reporter& silence() {
  static Silence nothing;
  return nothing;
}

}  // namespace lucivox
