#include <limits>

#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/image/projections.h>

namespace lucivox {
namespace {

at::Tensor counting(at::IntArrayRef sizes, double first) {
  return at::arange(c10::multiply_integers(sizes), at::kFloat).reshape(sizes) + first;
}

// 6 views of 4 rows and 5 columns, 3 flats, 2 darks.
Scan small_scan() {
  return {counting({6, 4, 5}, 0),
          counting({3, 4, 5}, 1000),
          counting({2, 4, 5}, 2000),
          {{0, 0.5, 1, 1.5, 2, 2.5}, 0.01}};
}

TEST(Projections, ReadsRangesOfViewsAndRows) {
  const Scan scan = small_scan();
  const auto source = memory_projections(scan);
  EXPECT_TRUE(at::equal(source->read(all_rows(source->info())), scan.projections));
  EXPECT_TRUE(at::equal(source->read(Rows{1, 2}), scan.projections.narrow(1, 1, 2)));
  EXPECT_TRUE(
      at::equal(source->read(Views{2, 3}, Rows{3, 1}), scan.projections.narrow(0, 2, 3).narrow(1, 3, 1)));
  EXPECT_TRUE(at::equal(source->read_flats({1, 2}), scan.flats.narrow(1, 1, 2)));
  EXPECT_TRUE(at::equal(source->read_darks({0, 1}), scan.darks.narrow(1, 0, 1)));
}

TEST(Projections, TellWhatTheScanIs) {
  const auto source = memory_projections(small_scan(), "phantom");
  const ScanInfo& info = source->info();
  EXPECT_EQ((std::array{info.views, info.rows, info.columns, info.flats, info.darks}),
            (std::array<int64_t, 5>{6, 4, 5, 3, 2}));
  EXPECT_EQ(info.angles_rad[3], 1.5);
  EXPECT_EQ(info.pixel_mm, 0.01);
  EXPECT_EQ(source->name(), "phantom");
}

TEST(Projections, WithoutFlatsAndDarksGiveNoFrames) {
  Scan scan = small_scan();
  scan.flats = at::empty({0, 4, 5});
  scan.darks = at::Tensor();
  const auto source = memory_projections(scan);
  EXPECT_EQ(source->info().flats, 0);
  EXPECT_EQ(source->read_flats({1, 2}).sizes(), at::IntArrayRef({0, 2, 5}));
  EXPECT_EQ(source->read_darks({1, 3}).sizes(), at::IntArrayRef({0, 3, 5}));
}

TEST(Projections, RefuseRangesOutside) {
  const auto source = memory_projections(small_scan());
  constexpr int64_t huge = std::numeric_limits<int64_t>::max();
  for (const Rows rows : {Rows{-1, 2}, Rows{0, 0}, Rows{3, 2}, Rows{0, 5}, Rows{1, huge}, Rows{huge, 1}}) {
    EXPECT_THROW(source->read(rows), Error) << rows.begin << " " << rows.count;
    EXPECT_THROW(source->read_flats(rows), Error) << rows.begin << " " << rows.count;
    EXPECT_THROW(source->read_darks(rows), Error) << rows.begin << " " << rows.count;
  }
  EXPECT_THROW(source->read(Views{5, 2}, Rows{0, 1}), Error);
}

// The message of the Error that `change` makes the scan throw.
template <typename Change>
std::string error_after(const Change& change) {
  Scan scan = small_scan();
  change(scan);
  try {
    memory_projections(scan, "scan");
  } catch (const Error& error) {
    EXPECT_FALSE(error.hint().empty());
    return error.what();
  }
  return "no Error";
}

TEST(Projections, ThatDisagreeWithTheRestAreRefused) {
  EXPECT_EQ(error_after([](Scan& scan) { scan.setup.angles_rad.pop_back(); }),
            "scan has 6 projections, but 5 projection angles");
  EXPECT_EQ(error_after([](Scan& scan) { scan.setup.angles_rad[2] = NAN; }),
            "projection angle 3 of scan is nan");
  EXPECT_EQ(error_after([](Scan& scan) {
              scan.flats = at::zeros({3, 4, 6});
            }),
            "the flat fields scan flats have 4 x 6 pixels (rows x columns), the projections 4 x 5");
  EXPECT_EQ(error_after([](Scan& scan) {
              scan.darks = at::zeros({1, 3, 5});
            }),
            "the dark fields scan darks have 3 x 5 pixels (rows x columns), the projections 4 x 5");
  EXPECT_EQ(error_after([](Scan& scan) { scan.setup.pixel_mm = 0; }),
            "the pixels of scan would be 0 mm wide");
}

}  // namespace
}  // namespace lucivox
