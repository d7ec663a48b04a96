// Legend: S slices, Y rows, X columns, V views, U detectors. A "line" is a row of the image, or a column for
// the rays that march along rows; a "strip" is kLines lines of a group of slices, [kLines][strip
// width][kGroup], with zeros around; a "tile" is a piece of a strip small enough for the first-level cache,
// [kLines][kWidth][kGroup].
//
// For each tile all rays that cross its strip within it are followed through kLines lines: A adds what it
// meets to the ray's sum, A' adds the ray's value to what it meets. Both take positions and weights from
// taps_of().
#include <lucivox/kernels/cpu/projector.h>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "lucivox/kernels/cpu/projector.cpp"
#include <algorithm>
#include <array>
#include <vector>

#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/slice_groups.h>

#ifndef LUCIVOX_KERNELS_CPU_PROJECTOR_TILES
#define LUCIVOX_KERNELS_CPU_PROJECTOR_TILES
namespace lucivox::cpu {

constexpr int64_t kLines = 16;
// A ray belongs to the tile in which it crosses the strip's middle. It drifts by at most a pixel a line, so
// that it stays within kReach pixels of there and needs one more neighbour.
constexpr int64_t kTile = 8, kReach = kLines / 2 + 1, kWidth = kTile + 2 * kReach + 1;
constexpr int64_t kTileRow = kWidth * kGroup;  // 27 kB a tile: a first-level cache has 32
static_assert(kLines * kTileRow * sizeof(float) <= 32 << 10);

// A ray of a bundle and where its sum lies.
struct BundledRay {
  float middle, slope;
  int64_t cell;
};

// The rays of one view and one marching direction, in the order in which they meet every line of the image.
using Bundle = std::vector<BundledRay>;

// Strip `strip` of an image whose lines number `lines` and have `length` pixels.
struct StripPlace {
  int64_t lines, length, strip;
};

}  // namespace lucivox::cpu
#endif

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, kGroup>;
constexpr size_t kVectors = kGroup / hn::MaxLanes(Floats());

// What one ray meets on each line of a tile: the pixels at `offset` and one further, with the weights 1 -
// right and right.
struct alignas(64) Taps {
  std::array<int32_t, kLines> offset;
  std::array<float, kLines> right;
};

// For a ray that meets the tile's first line at `start` pixels from its first column, 0 <= start < kWidth
// - 1. In 24 bits of fraction: exact to 1e-6 of a pixel over 16 lines.
HWY_INLINE void taps_of(float start, float slope, Taps& taps) {
  constexpr int fraction_bits = 24;
  constexpr float one = 1 << fraction_bits;
  const Floats f;
  const hn::RebindToSigned<Floats> i;
  const auto per_line = hn::Set(i, static_cast<int32_t>(slope * one)),
             first = hn::Set(i, static_cast<int32_t>(start * one));
  for (int64_t l = 0; l < kLines; l += static_cast<int64_t>(hn::Lanes(f))) {
    const auto line = hn::Iota(i, static_cast<int32_t>(l));
    const auto position = hn::Add(hn::Mul(line, per_line), first);
    const auto column = hn::ShiftRight<fraction_bits>(position);
    const auto fraction = hn::And(position, hn::Set(i, (1 << fraction_bits) - 1));
    hn::StoreU(hn::Add(hn::Mul(line, hn::Set(i, kTileRow)), hn::Mul(column, hn::Set(i, kGroup))), i,
               taps.offset.data() + l);
    hn::StoreU(hn::Mul(hn::ConvertTo(f, fraction), hn::Set(f, 1 / one)), f, taps.right.data() + l);
  }
}

// sum[kGroup] += what the ray meets. Sums of left and right neighbours and of even and odd lines run apart: a
// fused multiply-add takes 4 cycles, and two start in each.
HWY_INLINE void add_met(const Taps& taps, const float* tile, float* sum) {
  const Floats f;
  const size_t lanes = hn::Lanes(f);
  hn::Vec<Floats> sums[4][kVectors];
  for (auto& part : sums) {
    for (auto& s : part) s = hn::Zero(f);
  }
  for (size_t l = 0; l < kLines; l += 2) {
    for (size_t odd = 0; odd < 2; ++odd) {
      const float* pixel = tile + taps.offset[l + odd];
      const auto right = hn::Set(f, taps.right[l + odd]), left = hn::Sub(hn::Set(f, 1.0F), right);
      for (size_t v = 0; v < kVectors; ++v) {
        auto &a = sums[2 * odd][v], &b = sums[2 * odd + 1][v];
        a = hn::MulAdd(left, hn::Load(f, pixel + v * lanes), a);
        b = hn::MulAdd(right, hn::Load(f, pixel + kGroup + v * lanes), b);
      }
    }
  }
  for (size_t v = 0; v < kVectors; ++v) {
    const auto met = hn::Add(hn::Add(sums[0][v], sums[1][v]), hn::Add(sums[2][v], sums[3][v]));
    hn::Store(hn::Add(met, hn::Load(f, sum + v * lanes)), f, sum + v * lanes);
  }
}

// Adds value[kGroup] to what the ray meets.
HWY_INLINE void add_to_met(const Taps& taps, const float* value, float* tile) {
  const Floats f;
  const size_t lanes = hn::Lanes(f);
  hn::Vec<Floats> values[kVectors];
  for (size_t v = 0; v < kVectors; ++v) values[v] = hn::Load(f, value + v * lanes);
  for (size_t l = 0; l < kLines; ++l) {
    float* pixel = tile + taps.offset[l];
    const auto right = hn::Set(f, taps.right[l]), left = hn::Sub(hn::Set(f, 1.0F), right);
    hn::Vec<Floats> a[kVectors], b[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      a[v] = hn::MulAdd(left, values[v], hn::Load(f, pixel + v * lanes));
      b[v] = hn::MulAdd(right, values[v], hn::Load(f, pixel + kGroup + v * lanes));
    }
    for (size_t v = 0; v < kVectors; ++v) {
      hn::Store(a[v], f, pixel + v * lanes);
      hn::Store(b[v], f, pixel + kGroup + v * lanes);
    }
  }
}

// Calls ray(taps, cell) for each ray that crosses the strip's middle in columns [begin, begin + kTile);
// `next` points at the bundle's first one that is not behind, and is moved on. The taps of some rays are made
// ahead, so that they are out of the store buffers when they are read.
template <typename Use>
void over_rays(const StripPlace& place, int64_t begin, const Bundle& bundle, size_t& next, const Use& use) {
  constexpr size_t ahead = 8;
  std::array<Taps, ahead> taps;
  std::array<int64_t, ahead> cells;
  const auto first_line = static_cast<float>(place.strip * kLines) - static_cast<float>(place.lines - 1) / 2;
  const float to_tile = static_cast<float>(place.length - 1) / 2 - static_cast<float>(begin - kReach);
  constexpr float half = static_cast<float>(kLines - 1) / 2;
  for (bool more = true; more;) {
    size_t ready = 0;
    for (more = false; next < bundle.size(); ++next) {
      const BundledRay& ray = bundle[next];
      const float start = ray.middle + ray.slope * first_line + to_tile, middle = start + ray.slope * half;
      if (!(middle < static_cast<float>(kReach + kTile))) break;
      if (!(middle >= static_cast<float>(kReach))) continue;  // passes the image by
      more = ready == ahead;
      if (more) break;
      taps_of(start, ray.slope, taps[ready]);
      cells[ready++] = ray.cell;
    }
    for (size_t r = 0; r < ready; ++r) use(taps[r], cells[r]);
  }
}

// Every tile of a strip in turn: enter(tile's first column in the strip), then each bundle's rays in it, then
// leave(that column). A ray within kReach of the image may still touch it.
template <typename Enter, typename Use, typename Leave>
void over_tiles(const StripPlace& place, const Bundle* bundles, size_t count, const Enter& enter,
                const Use& use, const Leave& leave) {
  std::vector<size_t> next(count);
  for (int64_t begin = -kReach; begin < place.length + kReach; begin += kTile) {
    enter(begin + kReach);
    for (size_t b = 0; b < count; ++b) over_rays(place, begin, bundles[b], next[b], use);
    leave(begin + kReach);
  }
}

// sums[cell] += what the rays of the bundles meet in the strip, whose lines are `stride` floats apart.
void project_strip(const StripPlace& place, const Bundle* bundles, size_t count, const float* strip,
                   int64_t stride, float* sums) {
  HWY_ALIGN float tile[kLines * kTileRow];
  over_tiles(
      place, bundles, count,
      [&](int64_t column) {
        for (int64_t l = 0; l < kLines; ++l)
          std::copy_n(strip + l * stride + column * kGroup, kTileRow, tile + l * kTileRow);
      },
      [&](const Taps& taps, int64_t cell) { add_met(taps, tile, sums + cell); }, [](int64_t) {});
}

// The adjoint of project_strip().
void back_project_strip(const StripPlace& place, const Bundle* bundles, size_t count, const float* values,
                        float* strip, int64_t stride) {
  HWY_ALIGN float tile[kLines * kTileRow];
  over_tiles(
      place, bundles, count, [&](int64_t) { std::fill_n(tile, kLines * kTileRow, 0.0F); },
      [&](const Taps& taps, int64_t cell) { add_to_met(taps, values + cell, tile); },
      [&](int64_t column) {
        for (int64_t l = 0; l < kLines; ++l) {
          float* line = strip + l * stride + column * kGroup;
          for (int64_t i = 0; i < kTileRow; ++i) line[i] += tile[l * kTileRow + i];
        }
      });
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lucivox::cpu {
HWY_EXPORT(project_strip);
HWY_EXPORT(back_project_strip);

namespace {

// A group's image, in strips of its rows or of its columns.
struct Strips {
  int64_t lines, length;
  GroupArray values;  // tiles begin 2 kReach before the image, in the zeros

  Strips(const RayScan& scan, bool by_columns)
      : lines(by_columns ? scan.columns : scan.rows),
        length(by_columns ? scan.rows : scan.columns),
        values(count() * kLines, length + 2 * kReach + kWidth) {}

  int64_t count() const { return (lines + kLines - 1) / kLines; }
  StripPlace place(int64_t strip) const { return {lines, length, strip}; }
  float* strip(int64_t s) { return values.line(s * kLines); }
  const float* strip(int64_t s) const { return values.line(s * kLines); }
  float* pixel(int64_t line, int64_t p) { return values.line(line) + (2 * kReach + p) * kGroup; }
};

// Both, and what is in the one is, turned, in the other.
struct GroupImage {
  Strips rows, columns;

  explicit GroupImage(const RayScan& scan) : rows(scan, false), columns(scan, true) {}
};

// All rays of one marching direction, a bundle or more for each view of [begin, end). Rays of one source meet
// every line beyond it in the same order, but a wide fan has rays on both of its sides: where the order at
// either end of the image breaks, a new bundle begins.
std::vector<Bundle> bundles_of(const RayScan& scan, bool by_columns, int64_t sums_stride, int64_t begin,
                               int64_t end) {
  const int64_t lines = by_columns ? scan.columns : scan.rows;
  const auto first = -static_cast<float>(lines - 1) / 2;
  const int64_t in_strips = (lines + kLines - 1) / kLines * kLines;  // which are whole
  const auto last = first + static_cast<float>(in_strips - 1);
  const auto in_order = [=](const BundledRay& a, const BundledRay& b) {
    return a.middle + first * a.slope <= b.middle + first * b.slope &&
           a.middle + last * a.slope <= b.middle + last * b.slope;
  };
  std::vector<Bundle> bundles;
  for (int64_t view = begin; view < end; ++view) {
    Bundle rays;
    for (int64_t u = 0; u < scan.detectors; ++u) {
      const JosephRay& ray = scan.rays[static_cast<size_t>(view * scan.detectors + u)];
      if (ray.by_columns == by_columns)
        rays.push_back({ray.middle, ray.slope, view * sums_stride + u * kGroup});
    }
    if (rays.size() > 1 && in_order(rays.back(), rays.front())) std::reverse(rays.begin(), rays.end());
    for (size_t r = 0; r < rays.size(); ++r) {
      if (r == 0 || !in_order(rays[r - 1], rays[r])) bundles.emplace_back();
      bundles.back().push_back(rays[r]);
    }
  }
  return bundles;
}

// Calls piece(first row, first column, part) for squares of the image small enough for the first-level cache.
template <typename Piece>
void over_squares(GroupImage& image, int64_t slices, const Piece& piece) {
  constexpr int64_t side = 16;
  const int64_t rows = image.rows.lines, columns = image.rows.length;
  parallel_for(0, (rows + side - 1) / side, [&](int64_t s) {
    for (int64_t y = s * side, x = 0; x < columns; x += side) {
      piece(y, x,
            GroupPart{std::min(side, rows - y), std::min(side, columns - x), slices,
                      image.rows.values.stride()});
    }
  });
}

// Calls cell(in the rows, in the columns) for every pixel of the square.
template <typename Cell>
void over_cells(GroupImage& image, int64_t y, int64_t x, const GroupPart& square, const Cell& cell) {
  for (int64_t l = 0; l < square.lines; ++l) {
    for (int64_t p = 0; p < square.pixels; ++p)
      cell(image.rows.pixel(y + l, x + p), image.columns.pixel(x + p, y + l));
  }
}

PlaneStrides image_strides(const RayScan& scan) {
  return {scan.rows * scan.columns, scan.columns};
}
PlaneStrides sino_strides(const RayScan& scan) {
  return {scan.views * scan.detectors, scan.detectors};
}

void load(const RayScan& scan, int64_t slices, const float* image_SYX, GroupImage& image) {
  over_squares(image, slices, [&](int64_t y, int64_t x, const GroupPart& square) {
    to_group(image_SYX + y * scan.columns + x, image_strides(scan), square, image.rows.pixel(y, x));
    over_cells(image, y, x, square,
               [](const float* row, float* column) { std::copy_n(row, kGroup, column); });
  });
}

// The sum of what the rows and the columns hold.
void store_sum(const RayScan& scan, int64_t slices, GroupImage& image, float* image_SYX) {
  over_squares(image, slices, [&](int64_t y, int64_t x, const GroupPart& square) {
    over_cells(image, y, x, square, [](float* row, const float* column) {
      for (int64_t i = 0; i < kGroup; ++i) row[i] += column[i];
    });
    from_group(image.rows.pixel(y, x), square, image_SYX + y * scan.columns + x, image_strides(scan));
  });
}

void add_met_by(const std::vector<Bundle>& bundles, const Strips& strips, GroupArray& sums) {
  for (int64_t s = 0; s < strips.count(); ++s) {
    HWY_DYNAMIC_DISPATCH(project_strip)
    (strips.place(s), bundles.data(), bundles.size(), strips.strip(s), strips.values.stride(), sums.line(0));
  }
}

// What the rays of a view, [U][kGroup], count a line.
void weigh(const RayScan& scan, int64_t view, float* values) {
  for (int64_t u = 0; u < scan.detectors; ++u) {
    const float weight = scan.rays[static_cast<size_t>(view * scan.detectors + u)].weight;
    for (int64_t i = 0; i < kGroup; ++i) values[u * kGroup + i] *= weight;
  }
}

// Each thread has its share of the views.
void project_group(const RayScan& scan, const GroupImage& image, GroupArray& sums, int64_t slices,
                   float* sino_SVU) {
  const int64_t shares = std::min<int64_t>(threads(), scan.views);
  parallel_for(0, shares, [&](int64_t share) {
    const int64_t begin = scan.views * share / shares, end = scan.views * (share + 1) / shares;
    std::fill(sums.line(begin), sums.line(end), 0.0F);
    add_met_by(bundles_of(scan, false, sums.stride(), begin, end), image.rows, sums);
    add_met_by(bundles_of(scan, true, sums.stride(), begin, end), image.columns, sums);
    for (int64_t view = begin; view < end; ++view) {
      weigh(scan, view, sums.line(view));
      from_group(sums.line(view), {1, scan.detectors, slices, sums.stride()},
                 sino_SVU + view * scan.detectors, sino_strides(scan));
    }
  });
}

// Each thread has strips of its own.
void back_project_into(Strips& strips, const std::vector<Bundle>& bundles, const GroupArray& values) {
  parallel_for(0, strips.count(), [&](int64_t s) {
    std::fill(strips.strip(s), strips.strip(s + 1), 0.0F);
    HWY_DYNAMIC_DISPATCH(back_project_strip)
    (strips.place(s), bundles.data(), bundles.size(), values.line(0), strips.strip(s),
     strips.values.stride());
  });
}

void load_weighted(const RayScan& scan, int64_t slices, const float* sino_SVU, GroupArray& values) {
  parallel_for(0, scan.views, [&](int64_t view) {
    to_group(sino_SVU + view * scan.detectors, sino_strides(scan),
             {1, scan.detectors, slices, values.stride()}, values.line(view));
    weigh(scan, view, values.line(view));
  });
}

}  // namespace

// The groups' arrays are made once, for clearing new memory takes the system longer than filling it.
void project(const RayScan& scan, int64_t slices, const float* image_SYX, float* sino_SVU) {
  GroupImage image(scan);
  GroupArray sums(scan.views, scan.detectors);
  over_groups(slices, [&](int64_t first, int64_t count) {
    load(scan, count, image_SYX + first * scan.rows * scan.columns, image);
    project_group(scan, image, sums, count, sino_SVU + first * scan.views * scan.detectors);
  });
}

void back_project(const RayScan& scan, int64_t slices, const float* sino_SVU, float* image_SYX) {
  GroupImage image(scan);
  GroupArray values(scan.views, scan.detectors);
  const auto by_rows = bundles_of(scan, false, values.stride(), 0, scan.views),
             by_columns = bundles_of(scan, true, values.stride(), 0, scan.views);
  over_groups(slices, [&](int64_t first, int64_t count) {
    load_weighted(scan, count, sino_SVU + first * scan.views * scan.detectors, values);
    back_project_into(image.rows, by_rows, values);
    back_project_into(image.columns, by_columns, values);
    store_sum(scan, count, image, image_SYX + first * scan.rows * scan.columns);
  });
}

}  // namespace lucivox::cpu
#endif
