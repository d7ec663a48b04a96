#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <png.h>

#include <lucivox/base/error.h>
#include <lucivox/program/font.h>
#include <lucivox/program/picture.h>

namespace lucivox {
namespace {

constexpr Rgb kInk{24, 28, 34}, kFaintInk{98, 106, 118}, kFrame{190, 195, 202}, kPaper{255, 255, 255};

// --- colour ---

// Oklab (B. Ottosson, "A perceptual color space for image processing", 2020) to sRGB, clipped to its gamut.
Rgb oklab_to_srgb(double lightness, double a, double b) {
  const auto cube = [](double v) { return v * v * v; };
  const double l = cube(lightness + 0.3963377774 * a + 0.2158037573 * b);
  const double m = cube(lightness - 0.1055613458 * a - 0.0638541728 * b);
  const double s = cube(lightness - 0.0894841775 * a - 1.2914855480 * b);
  const auto encode = [](double linear) {
    const double v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
    return static_cast<uint8_t>(std::lround(255 * std::clamp(v, 0.0, 1.0)));
  };
  return {encode(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          encode(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          encode(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

// `t` from -1 (blue) over 0 (white) to 1 (red). Chroma rises early, so that small differences show their
// sign.
Rgb diverging(double t) {
  constexpr double kBlue = 255 * std::numbers::pi / 180, kRed = 27 * std::numbers::pi / 180;  // hues
  constexpr double kDarkening = 0.62, kChroma = 0.155;  // as dark and vivid as sRGB allows for both hues
  const double hue = t < 0 ? kBlue : kRed, strength = std::abs(t);
  const double chroma = kChroma * strength * (2 - strength);
  return oklab_to_srgb(1 - kDarkening * strength, chroma * std::cos(hue), chroma * std::sin(hue));
}

constexpr int64_t kHalfMap = 255;  // colours on either side of white
constexpr Rgb kNotANumber{128, 128, 128};

// uint8 [2 * kHalfMap + 2, 3]: the diverging colours, then the one for NaN.
at::Tensor colour_map() {
  at::Tensor map = at::empty({2 * kHalfMap + 2, 3}, at::kByte);
  uint8_t* out = map.data_ptr<uint8_t>();
  const auto append = [&](const Rgb& colour) { out = std::copy(colour.begin(), colour.end(), out); };
  for (int64_t i = -kHalfMap; i <= kHalfMap; ++i) append(diverging(static_cast<double>(i) / kHalfMap));
  append(kNotANumber);
  return map;
}

// --- numbers ---

// The smallest pleasant number that is not below `value`: 1, 1.5, 2, 3, ... times a power of ten.
double pleasant_above(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0}) {
    if (step * power >= value * (1 - 1e-9)) return step * power;
  }
  return 10 * power;
}

double percentile_99(const at::Tensor& values) {
  const at::Tensor finite = values.masked_select(values.isfinite()).contiguous();
  if (finite.numel() == 0) return 0;
  float* begin = finite.data_ptr<float>();
  float* at_99 = begin + (finite.numel() - 1) * 99 / 100;
  std::nth_element(begin, at_99, begin + finite.numel());
  return *at_99;
}

double difference_range(const Triptych& t) {
  if (t.difference_range > 0) return t.difference_range;
  return pleasant_above(percentile_99((t.low_dose - t.full_dose).abs().to(at::kFloat)));
}

// --- drawing ---

void fill(at::Tensor& rgb, int64_t x, int64_t y, int64_t width, int64_t height, Rgb colour) {
  rgb.slice(0, y, y + height)
      .slice(1, x, x + width)
      .copy_(at::tensor({colour[0], colour[1], colour[2]}, at::kByte));
}

// `picture`: uint8 [H, W] or [H, W, 3], in a frame one pixel wide around it.
void place(at::Tensor& figure, int64_t x, int64_t y, const at::Tensor& picture) {
  const int64_t height = picture.size(0), width = picture.size(1);
  fill(figure, x - 1, y - 1, width + 2, height + 2, kFrame);
  const at::Tensor rgb = picture.dim() == 2 ? picture.unsqueeze(2) : picture;
  figure.slice(0, y, y + height).slice(1, x, x + width).copy_(rgb);
}

at::Tensor enlarge(const at::Tensor& picture, int64_t factor) {
  return picture.repeat_interleave(factor, 0).repeat_interleave(factor, 1);
}

// The largest scale up to `wanted` at which all texts fit into `width`.
int64_t fitting_scale(const std::vector<std::string>& texts, int64_t width, int64_t wanted) {
  const auto fits = [&](int64_t scale) {
    return std::all_of(texts.begin(), texts.end(),
                       [&](const std::string& t) { return text_width(t, scale) <= width; });
  };
  while (wanted > 1 && !fits(wanted)) --wanted;
  return wanted;
}

// The part of an image that is shown enlarged: left of the middle, where a chest has lung, heart and vessels.
constexpr int64_t kZoom = 3;
at::Tensor enlarged_part(const at::Tensor& image_YX) {
  const auto part = [](int64_t side) { return std::max<int64_t>(side / kZoom, 1); };
  const int64_t rows = part(image_YX.size(0)), columns = part(image_YX.size(1));
  return image_YX.narrow(0, (image_YX.size(0) - rows) / 2, rows)
      .narrow(1, std::max<int64_t>(image_YX.size(1) / 2 - 2 * columns / 3, 0), columns);
}

// A row of three pictures.
struct Row {
  DisplayWindow window;
  bool enlarged;
};

std::vector<Row> rows_of(const Triptych& t) {
  std::vector<Row> rows;
  for (const bool enlarged : {false, true}) {
    for (const DisplayWindow& window : t.windows) rows.push_back({window, enlarged});
  }
  return rows;
}

// Where everything is drawn, in pixels. Distances are multiples of the text's scale, so that the figure looks
// the same at every size.
struct Layout {
  int64_t factor, panel_width, panel_height;
  int64_t scale;  // of labels; captions one less
  int64_t margin, gap, line;
  int64_t title_y, caption_y, differences_y;  // differences_y: of their label
  std::vector<int64_t> rows_y;                // of each row's label
  int64_t width, height;

  int64_t column(int64_t i) const { return margin + i * (panel_width + gap); }
  int64_t small() const { return std::max<int64_t>(scale - 1, 1); }
};

Layout layout_for(const Triptych& t) {
  constexpr int64_t kNarrow = 384;     // pixels; below, the images are enlarged
  constexpr int64_t kTextShare = 170;  // panel width in font pixels: some 30 characters
  Layout l{};
  l.factor = t.full_dose.size(1) < kNarrow ? (kNarrow + t.full_dose.size(1) - 1) / t.full_dose.size(1) : 1;
  l.panel_height = t.full_dose.size(0) * l.factor;
  l.panel_width = t.full_dose.size(1) * l.factor;
  l.scale = std::max<int64_t>(l.panel_width / kTextShare, 2);
  l.line = (kCapitalHeight + 5) * l.scale;  // a line of text and the space to what follows
  l.margin = 10 * l.scale;
  l.gap = 6 * l.scale;
  l.title_y = l.margin;
  l.caption_y = l.title_y + (t.title.empty() ? 0 : l.line + 2 * l.scale);
  int64_t y = l.caption_y + (t.captions.empty() ? 0 : l.line + 2 * l.scale);
  for (size_t i = 0; i < rows_of(t).size(); ++i, y += l.line + l.panel_height + l.gap) l.rows_y.push_back(y);
  l.differences_y = y;
  l.width = 2 * l.margin + 3 * l.panel_width + 2 * l.gap;
  l.height = y + l.line + l.panel_height + l.margin;
  return l;
}

void require_panels(const Triptych& t) {
  for (const at::Tensor& panel : {t.low_dose, t.enhanced, t.full_dose}) {
    if (panel.defined() && panel.dim() == 2 && panel.numel() > 0 && panel.sizes() == t.low_dose.sizes())
      continue;
    throw Error("the low-dose, the enhanced and the full-dose image differ in size",
                "compare slices of one scan: the same number of rows and columns");
  }
  if (t.windows.empty()) throw Error("a figure without a display window shows nothing", "give one");
}

std::string with_space(const std::string& units) {
  return units.empty() ? units : " " + units;
}

void draw_heading(at::Tensor& figure, const Layout& l, const Triptych& t) {
  draw_text(figure, l.margin, l.title_y, t.title, kInk,
            fitting_scale({t.title}, l.width - 2 * l.margin, l.scale + 1));
  const int64_t scale = fitting_scale(t.captions, l.panel_width, l.small());
  for (size_t i = 0; i < std::min<size_t>(t.captions.size(), 3); ++i)
    draw_text(figure, l.column(static_cast<int64_t>(i)), l.caption_y, t.captions[i], kFaintInk, scale);
}

// "low dose, 40 / 400 HU"
std::string label_of(const char* image, const Row& row) {
  return fmt::format("{}{}, {:.4g} / {:.4g}{}", image, row.enlarged ? ", enlarged" : "", row.window.centre,
                     row.window.width, with_space(row.window.units));
}

void draw_images(at::Tensor& figure, const Layout& l, const Triptych& t) {
  const std::array images{t.low_dose, t.enhanced, t.full_dose};
  const std::array names{"low dose", "enhanced", "full dose"};
  const std::vector<Row> rows = rows_of(t);
  for (size_t r = 0; r < rows.size(); ++r) {
    for (size_t i = 0; i < images.size(); ++i) {
      const int64_t x = l.column(static_cast<int64_t>(i));
      const std::string label = label_of(names[i], rows[r]);
      draw_text(figure, x, l.rows_y[r], label, kInk, fitting_scale({label}, l.panel_width, l.scale));
      const at::Tensor shown = rows[r].enlarged ? enlarged_part(images[i]) : images[i];
      place(figure, x, l.rows_y[r] + l.line,
            enlarge(grey(shown, rows[r].window), rows[r].enlarged ? l.factor * kZoom : l.factor));
    }
  }
}

void draw_colour_bar(at::Tensor& figure, const Layout& l, double range, const std::string& units) {
  const int64_t x = l.column(2), top = l.differences_y + l.line, height = l.panel_height,
                width = 12 * l.scale;
  draw_text(figure, x, l.differences_y, units.empty() ? "difference" : fmt::format("difference ({})", units),
            kInk, l.scale);
  place(figure, x, top,
        difference(at::linspace(range, -range, height).unsqueeze(1).expand({height, width}), range));
  for (int64_t i = 0; i <= 4; ++i) {
    const double value = range * static_cast<double>(2 - i) / 2;
    const int64_t y = top + (height - 1) * i / 4, tick = 3 * l.scale;
    fill(figure, x + width + 1, y, tick, 1, kFaintInk);
    const int64_t text_y =
        std::clamp(y - kCapitalHeight * l.scale / 2, top, top + height - kCapitalHeight * l.scale);
    const std::string label = i == 2 ? "0" : fmt::format("{:+.4g}", value);
    draw_text(figure, x + width + 2 * tick, text_y, label, kInk, l.scale);
  }
}

void draw_differences(at::Tensor& figure, const Layout& l, const Triptych& t) {
  const double range = difference_range(t);
  const std::array maps{t.low_dose - t.full_dose, t.enhanced - t.full_dose};
  const std::array labels{"low dose - full dose", "enhanced - full dose"};
  for (size_t i = 0; i < 2; ++i) {
    const int64_t x = l.column(static_cast<int64_t>(i));
    draw_text(figure, x, l.differences_y, labels[i], kInk, l.scale);
    place(figure, x, l.differences_y + l.line, enlarge(difference(maps[i], range), l.factor));
  }
  draw_colour_bar(figure, l, range, t.windows.front().units);
}

}  // namespace

std::string png(const at::Tensor& picture) {
  TORCH_CHECK(picture.scalar_type() == at::kByte &&
              (picture.dim() == 2 || (picture.dim() == 3 && picture.size(2) == 3)));
  constexpr int64_t kLargest = 1'000'000;  // pixels a side, libpng's own limit
  if (picture.numel() == 0 || std::max(picture.size(0), picture.size(1)) > kLargest) {
    throw Error(fmt::format("a picture of {} x {} pixels cannot be a PNG", picture.size(1), picture.size(0)),
                "give an image of 1 to 1000000 pixels a side");
  }
  const at::Tensor pixels = picture.contiguous();
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(pixels.size(1));
  image.height = static_cast<png_uint_32>(pixels.size(0));
  image.format = pixels.dim() == 2 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::string bytes(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = bytes.size();
  if (png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data_ptr(), 0, nullptr) == 0) {
    throw Error(fmt::format("cannot encode a PNG: {}", image.message));
  }
  bytes.resize(size);
  return bytes;
}

at::Tensor grey(const at::Tensor& values_YX, const DisplayWindow& window) {
  if (!(window.width > 0)) {
    throw Error::misuse(fmt::format("a display window of width {:g} shows nothing", window.width),
                        "give a positive width, such as 1500 HU for lung");
  }
  const at::Tensor unit = (values_YX - (window.centre - window.width / 2)) / window.width;
  return (unit.clamp(0, 1) * 255).round().nan_to_num(0).to(at::kByte);
}

at::Tensor difference(const at::Tensor& difference_YX, double range) {
  if (!(range > 0))
    throw Error::misuse("the range of a difference map must be positive", "give one such as 200 HU");
  const at::Tensor unit = (difference_YX / range).clamp(-1, 1);
  const at::Tensor index = (unit * kHalfMap).round() + kHalfMap;
  constexpr int64_t kNanIndex = 2 * kHalfMap + 1;
  return colour_map().index({index.nan_to_num(kNanIndex).to(at::kLong)});
}

at::Tensor triptych(const Triptych& content) {
  require_panels(content);
  const at::NoGradGuard no_grad;
  const Layout layout = layout_for(content);
  at::Tensor figure = at::empty({layout.height, layout.width, 3}, at::kByte);
  fill(figure, 0, 0, layout.width, layout.height, kPaper);
  draw_heading(figure, layout, content);
  draw_images(figure, layout, content);
  draw_differences(figure, layout, content);
  return figure;
}

}  // namespace lucivox
