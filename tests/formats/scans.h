#pragma once

#include <numbers>
#include <thread>
#include <vector>

#include <tests/formats/images.h>

#include <lucivox/formats/projections.h>

// Small scans to write and read back.
namespace lucivox::testing {

inline constexpr double kDegree = std::numbers::pi / 180;

// Frame f, row z, column u: first + 100 f + 10 z + u.
inline at::Tensor numbered_frames(int64_t frames, int64_t rows, int64_t columns, double first = 0) {
  const auto axis = [](int64_t count, double step) { return at::arange(count, at::kFloat) * step; };
  return first + axis(frames, 100).reshape({-1, 1, 1}) + axis(rows, 10).reshape({-1, 1}) + axis(columns, 1);
}

inline Scan numbered_scan() {
  return {numbered_frames(4, 7, 9),
          numbered_frames(2, 7, 9, 5000),
          numbered_frames(1, 7, 9, 7000),
          {{0, 45 * kDegree, 90 * kDegree, 135 * kDegree}, 0.0125}};
}

inline void expect_angles(const ProjectionSource& source, const std::vector<double>& angles_rad) {
  ASSERT_EQ(source.info().angles_rad.size(), angles_rad.size());
  // one rounding to degrees and one back
  for (size_t v = 0; v < angles_rad.size(); ++v)
    EXPECT_NEAR(source.info().angles_rad[v], angles_rad[v], 1e-15 * (1 + std::abs(angles_rad[v])));
}

// Every range of views and rows must give the same numbers as cutting it out of the whole.
inline void expect_ranges_agree(const ProjectionSource& source) {
  const ScanInfo& info = source.info();
  const at::Tensor all = source.read(all_rows(info)), flats = source.read_flats(all_rows(info)),
                   darks = source.read_darks(all_rows(info));
  for (int64_t begin = 0; begin < info.rows; ++begin) {
    const int64_t count = std::min<int64_t>(3, info.rows - begin);
    const Rows rows{begin, count};
    EXPECT_TRUE(at::equal(source.read(rows), all.narrow(1, begin, count)));
    EXPECT_TRUE(at::equal(source.read_flats(rows), flats.narrow(1, begin, count)));
    EXPECT_TRUE(at::equal(source.read_darks(rows), darks.narrow(1, begin, count)));
  }
  const Views last{info.views - 1, 1};
  EXPECT_TRUE(at::equal(source.read(last, {0, 1}), all.narrow(0, last.begin, 1).narrow(1, 0, 1)));
}

inline void expect_threads_agree(const ProjectionSource& source) {
  const at::Tensor all = source.read(all_rows(source.info()));
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 4; ++reader) {
    readers.emplace_back([&] {
      for (int64_t row = 0; row < source.info().rows; ++row)
        EXPECT_TRUE(at::equal(source.read(Rows{row, 1}), all.narrow(1, row, 1)));
    });
  }
  for (std::thread& reader : readers) reader.join();
}

}  // namespace lucivox::testing
