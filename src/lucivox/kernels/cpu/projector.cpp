// Legend: S slices, Y rows, X columns, V views, U detectors; "line" is a row or a column of the image,
// whichever a view marches along (joseph.h). All lines carry zeros at both ends, so that a position that
// is clamped onto them contributes nothing and the inner loops need no bounds.
#include <lucivox/kernels/cpu/projector.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/projector.cpp"
#include <algorithm>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vec = hn::Vec<Floats>;

// Writes the first `count` lanes of `values` and touches nothing behind them, which another thread may own.
void store_some(Vec values, float* to, int64_t count) {
  const Floats f;
  if (count >= static_cast<int64_t>(hn::Lanes(f))) {
    hn::StoreU(values, f, to);
  } else {
    HWY_ALIGN float lanes[hn::MaxLanes(Floats())];
    hn::Store(values, f, lanes);
    std::copy_n(lanes, count, to);
  }
}

// line[position] interpolated linearly, for a line of `length` values between one zero and two zeros.
Vec interpolate(const float* line, Vec position, Vec last) {
  const Floats f;
  const hn::RebindToSigned<Floats> i;
  const Vec inside = hn::Min(hn::Max(position, hn::Zero(f)), last);
  const auto left = hn::ConvertTo(i, inside);
  const Vec fraction = hn::Sub(inside, hn::ConvertTo(f, left));
  const Vec a = hn::GatherIndex(f, line, left);
  const Vec b = hn::GatherIndex(f, line + 1, left);
  return hn::MulAdd(fraction, hn::Sub(b, a), a);
}

// One view of one slice. `lines`: [count][stride], each with one zero before its `length` values and two
// after.
void project_view(const JosephView& view, const float* lines, int64_t count, int64_t length, int64_t stride,
                  float* sino_U, int64_t detectors) {
  const Floats f;
  const Vec step = hn::Set(f, static_cast<float>(view.per_detector));
  const Vec last = hn::Set(f, static_cast<float>(length + 1));
  const Vec weight = hn::Set(f, static_cast<float>(view.weight));
  const auto lanes = static_cast<int64_t>(hn::Lanes(f));
  for (int64_t u = 0; u < detectors; u += lanes) {
    const Vec detector = hn::Iota(f, static_cast<float>(u));
    Vec sum = hn::Zero(f);
    for (int64_t l = 0; l < count; ++l) {
      const Vec first = hn::Set(f, view.at_first_detector(l) + 1);  // +1: the zero before the line
      sum = hn::Add(sum, interpolate(lines + l * stride, hn::MulAdd(step, detector, first), last));
    }
    store_some(hn::Mul(sum, weight), sino_U + u, detectors - u);
  }
}

// Adds one view's share of the adjoint to image line `l`: pixel x receives from detector u the weight that
// Joseph's interpolation gave it, max(0, 1 - |position(u) - x|). Only detectors within one pixel of x can
// count; they are 2 / |per_detector| in number, and two more for rounding at both ends.
void back_project_line(const JosephView& view, int64_t l, const float* padded_U, int64_t detectors,
                       float* line_X, int64_t length) {
  const Floats f;
  const hn::RebindToSigned<Floats> i;
  const Vec step = hn::Set(f, static_cast<float>(view.per_detector));
  const float first_position = view.at_first_detector(l) + 1;
  const Vec first = hn::Set(f, first_position), one = hn::Set(f, 1.0F);
  const Vec weight = hn::Set(f, static_cast<float>(view.weight));
  const float per_pixel = static_cast<float>(1 / view.per_detector);
  const auto candidates = static_cast<int64_t>(2 * std::abs(per_pixel)) + 3;
  const Vec end = hn::Set(f, static_cast<float>(detectors));
  const auto lanes = static_cast<int64_t>(hn::Lanes(f));
  for (int64_t x = 0; x < length; x += lanes) {
    const Vec pixel = hn::Iota(f, static_cast<float>(x + 1));
    const Vec middle = hn::Mul(hn::Sub(pixel, first), hn::Set(f, per_pixel));
    Vec detector = hn::Floor(hn::Sub(middle, hn::Set(f, std::abs(per_pixel))));
    Vec sum = hn::Zero(f);
    for (int64_t k = 0; k < candidates; ++k) {
      const Vec distance = hn::Abs(hn::Sub(hn::MulAdd(step, detector, first), pixel));
      const Vec hat = hn::Max(hn::Sub(one, distance), hn::Zero(f));
      const Vec inside = hn::Min(hn::Max(detector, hn::Set(f, -1.0F)), end);
      sum = hn::MulAdd(hat, hn::GatherIndex(f, padded_U + 1, hn::ConvertTo(i, inside)), sum);
      detector = hn::Add(detector, one);
    }
    // line_X is padded to whole vectors
    hn::StoreU(hn::MulAdd(weight, sum, hn::LoadU(f, line_X + x)), f, line_X + x);
  }
}

// One row of the pixel-driven back-projection; `at_first` and `per_pixel` say, for each view, where the
// row's first pixel projects (counted from the zero before detector 0) and how far on the next one does.
void interpolate_row(const float* padded_VU, int64_t stride, int64_t views, int64_t detectors,
                     const float* at_first, const float* per_pixel, float* row_X, int64_t columns) {
  const Floats f;
  const Vec last = hn::Set(f, static_cast<float>(detectors + 1));
  const auto lanes = static_cast<int64_t>(hn::Lanes(f));
  for (int64_t x = 0; x < columns; x += lanes) {
    const Vec pixel = hn::Iota(f, static_cast<float>(x));
    Vec sum = hn::Zero(f);
    for (int64_t v = 0; v < views; ++v) {
      const Vec position = hn::MulAdd(hn::Set(f, per_pixel[v]), pixel, hn::Set(f, at_first[v]));
      sum = hn::Add(sum, interpolate(padded_VU + v * stride, position, last));
    }
    store_some(sum, row_X + x, columns - x);
  }
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(project_view);
HWY_EXPORT(back_project_line);
HWY_EXPORT(interpolate_row);

namespace {

// [count][length] with zeros around every line: one before, two after, as interpolate() needs.
struct Lines {
  int64_t count, length, stride;
  std::vector<float> values;

  Lines(int64_t line_count, int64_t line_length)
      : count(line_count),
        length(line_length),
        stride(line_length + 3),
        values(static_cast<size_t>(line_count * stride)) {}
  float* line(int64_t l) { return values.data() + l * stride + 1; }
  const float* padded(int64_t l) const { return values.data() + l * stride; }
};

Lines padded_rows(const float* image, int64_t rows, int64_t columns) {
  Lines lines(rows, columns);
  for (int64_t y = 0; y < rows; ++y) {
    std::copy_n(image + y * columns, columns, lines.line(y));
  }
  return lines;
}

Lines padded_columns(const float* image, int64_t rows, int64_t columns) {
  Lines lines(columns, rows);
  for (int64_t y = 0; y < rows; ++y) {
    for (int64_t x = 0; x < columns; ++x) lines.line(x)[y] = image[y * columns + x];
  }
  return lines;
}

// The adjoint's image lines, each long enough for whole vectors (of at most 64 floats, HWY_MAX_BYTES / 4).
struct LineSums {
  int64_t stride;
  std::vector<float> values;

  LineSums(int64_t count, int64_t length)
      : stride(length + 64), values(static_cast<size_t>(count * stride)) {}
  float* line(int64_t l) { return values.data() + l * stride; }
};

LineSums back_project_lines(const std::vector<JosephView>& views, const Lines& sino, bool by_columns,
                            int64_t count, int64_t length) {
  LineSums sums(count, length);
  parallel_for(0, count, [&](int64_t l) {
    for (size_t v = 0; v < views.size(); ++v) {
      if (views[v].by_columns != by_columns) continue;
      HWY_DYNAMIC_DISPATCH(back_project_line)
      (views[v], l, sino.padded(static_cast<int64_t>(v)), sino.length, sums.line(l), length);
    }
  });
  return sums;
}

}  // namespace

void project(const ParallelScan& scan, const float* image_SYX, float* sino_SVU) {
  const std::vector<JosephView> views = joseph_views(scan);
  for (int64_t s = 0; s < scan.slices; ++s) {
    const float* image = image_SYX + s * scan.rows * scan.columns;
    const Lines rows = padded_rows(image, scan.rows, scan.columns);
    const Lines columns = padded_columns(image, scan.rows, scan.columns);
    parallel_for(0, scan.views(), [&](int64_t v) {
      const JosephView& view = views[static_cast<size_t>(v)];
      const Lines& lines = view.by_columns ? columns : rows;
      float* sino = sino_SVU + (s * scan.views() + v) * scan.detectors;
      HWY_DYNAMIC_DISPATCH(project_view)
      (view, lines.padded(0), lines.count, lines.length, lines.stride, sino, scan.detectors);
    });
  }
}

void back_project(const ParallelScan& scan, const float* sino_SVU, float* image_SYX) {
  const std::vector<JosephView> views = joseph_views(scan);
  for (int64_t s = 0; s < scan.slices; ++s) {
    const Lines sino =
        padded_rows(sino_SVU + s * scan.views() * scan.detectors, scan.views(), scan.detectors);
    LineSums rows = back_project_lines(views, sino, false, scan.rows, scan.columns);
    LineSums columns = back_project_lines(views, sino, true, scan.columns, scan.rows);
    float* image = image_SYX + s * scan.rows * scan.columns;
    for (int64_t y = 0; y < scan.rows; ++y) {
      for (int64_t x = 0; x < scan.columns; ++x) {
        image[y * scan.columns + x] = rows.line(y)[x] + columns.line(x)[y];
      }
    }
  }
}

void back_project_interpolated(const ParallelScan& scan, const float* sino_SVU, float* image_SYX) {
  const double per_mm = 1 / scan.detector_mm, pixel = scan.pixel_mm;
  const double left_mm = -static_cast<double>(scan.columns - 1) / 2 * pixel;
  const double middle = static_cast<double>(scan.detectors - 1) / 2 + 1;  // +1: the zero before the line
  for (int64_t s = 0; s < scan.slices; ++s) {
    const Lines sino =
        padded_rows(sino_SVU + s * scan.views() * scan.detectors, scan.views(), scan.detectors);
    parallel_for(0, scan.rows, [&](int64_t y) {
      const double y_mm = (static_cast<double>(y) - static_cast<double>(scan.rows - 1) / 2) * pixel;
      std::vector<float> at_first, per_pixel;
      for (const double angle : scan.angles_rad) {
        const double cosine = std::cos(angle), sine = std::sin(angle);
        at_first.push_back(static_cast<float>((left_mm * cosine + y_mm * sine) * per_mm + middle));
        per_pixel.push_back(static_cast<float>(pixel * cosine * per_mm));
      }
      HWY_DYNAMIC_DISPATCH(interpolate_row)
      (sino.padded(0), sino.stride, scan.views(), scan.detectors, at_first.data(), per_pixel.data(),
       image_SYX + (s * scan.rows + y) * scan.columns, scan.columns);
    });
  }
}

}  // namespace lucivox::cpu
#endif
