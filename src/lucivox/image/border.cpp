#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/image/border.h>

namespace lucivox {
namespace {

constexpr int64_t kMaxMargin = 1024;

// Where pixel `i` of a row of `count` lies when the row goes on in mirrors, with a period of 2 count.
int64_t mirrored(int64_t i, int64_t count) {
  const int64_t period = 2 * count, phase = ((i % period) + period) % period;
  return phase < count ? phase : period - 1 - phase;
}

at::Tensor reflected_along(const at::Tensor& image, int64_t dimension, int64_t before, int64_t after) {
  if (before == 0 && after == 0) return image;
  const int64_t count = image.size(dimension);
  std::vector<int64_t> from;
  for (int64_t i = -before; i < count + after; ++i) from.push_back(mirrored(i, count));
  return image.index_select(dimension, at::tensor(from, at::kLong).to(image.device()));
}

}  // namespace

at::Tensor reflected(const at::Tensor& image, const Margins& margins) {
  return reflected_along(reflected_along(image, -2, margins.top, margins.bottom), -1, margins.left,
                         margins.right);
}

at::Tensor reflected(const at::Tensor& image, int64_t margin) {
  return reflected(image, {margin, margin, margin, margin});
}

at::Tensor without_margin(const at::Tensor& image, int64_t margin) {
  if (margin == 0) return image;
  return image.narrow(-2, margin, image.size(-2) - 2 * margin)
      .narrow(-1, margin, image.size(-1) - 2 * margin);
}

Border reflected_border(int64_t margin) {
  return margin > 0 ? Border{Border::Rule::Reflect, margin} : Border{};
}

Border border_in_use(int64_t training_margin) {
  return reflected_border(2 * training_margin);
}

Json to_json(const Border& border) {
  if (border.rule == Border::Rule::Zeros) return {{"rule", "zeros"}};
  return {{"rule", "reflect"}, {"margin", border.margin}};
}

Border border_from_json(const Json& json) {
  std::string rule = "zeros";
  int64_t margin = border_in_use(kReflectedMargin).margin;
  ConfigTable table(json, "border");
  table.read("rule", rule);
  table.read("margin", margin);
  table.finish();
  if (rule == "zeros") return {};
  if (rule != "reflect")
    throw Error::misuse(fmt::format("unknown border rule '{}'", rule), "use 'zeros' or 'reflect'");
  if (margin < 1 || margin > kMaxMargin)
    throw Error::misuse(
        fmt::format("the margin of a reflected border must be between 1 and {} pixels, but is {}", kMaxMargin,
                    margin),
        "32 is usual");
  return {Border::Rule::Reflect, margin};
}

std::string describe(const Border& border) {
  return border.rule == Border::Rule::Zeros ? "zeros" : fmt::format("reflected, {} pixels", border.margin);
}

}  // namespace lucivox
