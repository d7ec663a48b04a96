#include <lucivox/kernels/cpu/pixel_projector.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/pixel_projector.cpp"
#include <algorithm>
#include <array>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/slice_groups.h>
// clang-format off: belongs behind foreach_target.h
#include <hwy/contrib/math/math-inl.h>
// clang-format on

#ifndef LUCIVOX_KERNELS_CPU_PIXEL_PROJECTOR_VIEWS
#define LUCIVOX_KERNELS_CPU_PIXEL_PROJECTOR_VIEWS
namespace lucivox::cpu {

// Tiles of pixels are added up over some views at a time, so that what a tile sees of them, 64 * (32 + 8)
// detectors or 160 kB, stays in the second-level cache while all of its pixels look.
constexpr int64_t kViews = 64, kTileColumns = 32, kTileRows = 8;

// Views [first, first + kViews) for one row of pixels: of its first pixel and from one to the next.
struct RowViews {
  std::array<float, kViews> lateral, lateral_x, depth, depth_x;
  int64_t count;
};

}  // namespace lucivox::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, kGroup>;
constexpr size_t kVectors = kGroup / hn::MaxLanes(Floats());

// What the views see at one pixel: detector `index` (counted from the zero before detector 0) and the next,
// with weights.
struct Seen {
  std::array<int32_t, kViews> index;
  std::array<float, kViews> left, right;
};

template <typename Vec>
struct Position {
  Vec detector, weight;
};

template <typename Vec>
HWY_INLINE Position<Vec> position_of(const RayScan& scan, Vec lateral, Vec depth) {
  const Floats f;
  const auto per_lateral = hn::Set(f, scan.per_lateral), centre = hn::Set(f, scan.centre + 1),
             one = hn::Set(f, 1.0F);
  if (scan.beam == Beam::Parallel) return {hn::MulAdd(lateral, per_lateral, centre), one};
  if (scan.beam == Beam::FanFlat)
    return {hn::MulAdd(hn::Div(lateral, depth), per_lateral, centre), hn::Div(one, hn::Mul(depth, depth))};
  const auto aside = hn::Div(lateral, hn::Set(f, scan.source_mm));
  return {hn::MulAdd(hn::Atan(f, hn::Div(aside, depth)), per_lateral, centre),
          hn::Div(one, hn::MulAdd(aside, aside, hn::Mul(depth, depth)))};
}

HWY_INLINE void look(const RayScan& scan, const RowViews& views, int64_t column, Seen& seen) {
  const Floats f;
  const hn::RebindToSigned<Floats> i;
  const auto x = hn::Set(f, static_cast<float>(column)),
             last = hn::Set(f, static_cast<float>(scan.detectors + 1));
  for (int64_t v = 0; v < views.count; v += static_cast<int64_t>(hn::Lanes(f))) {
    const auto at = [&](const std::array<float, kViews>& first, const std::array<float, kViews>& step) {
      return hn::MulAdd(hn::LoadU(f, step.data() + v), x, hn::LoadU(f, first.data() + v));
    };
    const auto place = position_of(scan, at(views.lateral, views.lateral_x), at(views.depth, views.depth_x));
    const auto inside = hn::Min(hn::Max(place.detector, hn::Zero(f)), last);
    const auto index = hn::ConvertTo(i, inside);
    const auto right = hn::Mul(hn::Sub(inside, hn::ConvertTo(f, index)), place.weight);
    hn::StoreU(index, i, seen.index.data() + v);
    hn::StoreU(right, f, seen.right.data() + v);
    hn::StoreU(hn::Sub(place.weight, right), f, seen.left.data() + v);
  }
}

// sum[kGroup] += what the views see; their lines of the sinogram lie `stride` floats apart.
HWY_INLINE void add_seen(const Seen& seen, int64_t count, const float* sino, int64_t stride, float* sum) {
  const Floats f;
  const size_t lanes = hn::Lanes(f);
  hn::Vec<Floats> left[kVectors], right[kVectors];
  for (size_t v = 0; v < kVectors; ++v) {
    left[v] = hn::Load(f, sum + v * lanes);
    right[v] = hn::Zero(f);
  }
  for (int64_t view = 0; view < count; ++view, sino += stride) {
    const auto at = static_cast<size_t>(view);
    const float* detector = sino + seen.index[at] * kGroup;
    const auto a = hn::Set(f, seen.left[at]), b = hn::Set(f, seen.right[at]);
    for (size_t v = 0; v < kVectors; ++v) {
      left[v] = hn::MulAdd(a, hn::Load(f, detector + v * lanes), left[v]);
      right[v] = hn::MulAdd(b, hn::Load(f, detector + kGroup + v * lanes), right[v]);
    }
  }
  for (size_t v = 0; v < kVectors; ++v) hn::Store(hn::Add(left[v], right[v]), f, sum + v * lanes);
}

// Adds views to the pixels [begin, end) of one row, [columns][kGroup].
void add_views(const RayScan& scan, const RowViews& views, const float* sino, int64_t stride, int64_t begin,
               int64_t end, float* row) {
  Seen seen;
  for (int64_t x = begin; x < end; ++x) {
    look(scan, views, x, seen);
    add_seen(seen, views.count, sino, stride, row + x * kGroup);
  }
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(add_views);

namespace {

RowViews views_of(const RayScan& scan, int64_t first, int64_t y) {
  RowViews views{};
  views.depth.fill(1);  // unused lanes must not divide by 0
  views.count = std::min(kViews, scan.views - first);
  const auto row = static_cast<float>(y);
  for (int64_t v = 0; v < views.count; ++v) {
    const PixelView& view = scan.pixel_views[static_cast<size_t>(first + v)];
    const auto at = static_cast<size_t>(v);
    views.lateral[at] = view.lateral + view.lateral_y * row;
    views.lateral_x[at] = view.lateral_x;
    views.depth[at] = view.depth + view.depth_y * row;
    views.depth_x[at] = view.depth_x;
  }
  return views;
}

// [V][U][kGroup] with a zero before and two after every line.
GroupArray load(const RayScan& scan, int64_t slices, const float* sino_SVU) {
  GroupArray sino(scan.views, scan.detectors + 3);
  parallel_for(0, scan.views, [&](int64_t view) {
    to_group(sino_SVU + view * scan.detectors, {scan.views * scan.detectors, scan.detectors},
             {1, scan.detectors, slices, sino.stride()}, sino.line(view) + kGroup);
  });
  return sino;
}

// Rows [begin, end) of the image, added up tile by tile.
void add_rows(const RayScan& scan, const GroupArray& sino, int64_t begin, int64_t end, GroupArray& rows) {
  for (int64_t x = 0; x < scan.columns; x += kTileColumns) {
    for (int64_t first = 0; first < scan.views; first += kViews) {
      for (int64_t y = begin; y < end; ++y) {
        HWY_DYNAMIC_DISPATCH(add_views)
        (scan, views_of(scan, first, y), sino.line(first), sino.stride(), x,
         std::min(x + kTileColumns, scan.columns), rows.line(y - begin));
      }
    }
  }
}

void back_project_group(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX) {
  const GroupArray sino = load(scan, slices, sino_SVU);
  parallel_for(0, (scan.rows + kTileRows - 1) / kTileRows, [&](int64_t tile) {
    const int64_t begin = tile * kTileRows, end = std::min(begin + kTileRows, scan.rows);
    GroupArray rows(end - begin, scan.columns);
    add_rows(scan, sino, begin, end, rows);
    from_group(rows.line(0), {end - begin, scan.columns, slices, rows.stride()},
               image_SYX + begin * scan.columns, {scan.rows * scan.columns, scan.columns});
  });
}

}  // namespace

void back_project_pixels(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX) {
  over_groups(slices, [&](int64_t first, int64_t count) {
    back_project_group(scan, count, sino_SVU + first * scan.views * scan.detectors,
                       image_SYX + first * scan.rows * scan.columns);
  });
}

}  // namespace lucivox::cpu
#endif
