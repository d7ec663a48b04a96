#include <gmock/gmock.h>
#include <hdf5.h>
#include <tests/formats/scans.h>

#include <lucivox/base/files.h>

namespace fs = std::filesystem;
using ::testing::HasSubstr;

namespace lucivox::testing {
namespace {

fs::path golden(const char* name) {
  return fs::path(LUCIVOX_GOLDEN) / name;
}

// Removes or renames what a file of ours has, to make it one of those that are not whole.
void unlink(const fs::path& path, const char* name) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Ldelete(file, name, H5P_DEFAULT);
  H5Fclose(file);
}

void link(const fs::path& path, const char* from, const char* to) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  H5Lcreate_hard(file, from, file, to, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
}

TEST(Dxchange, OfH5pyIsReadWithItsAngles) {
  const auto source = open_projections(golden("dxchange.h5"));
  const ScanInfo& info = source->info();
  EXPECT_EQ(info.format, "DXchange");
  EXPECT_EQ(info.scalar, Scalar::UInt16);
  EXPECT_EQ(info.header.at("units"), "counts");
  EXPECT_FALSE(info.pixel_mm);
  // what tests/golden/make_scans.py wrote
  EXPECT_TRUE(at::equal(source->read(all_rows(info)), numbered_frames(4, 3, 5)));
  EXPECT_TRUE(at::equal(source->read_flats(all_rows(info)), numbered_frames(2, 3, 5, 5000)));
  EXPECT_TRUE(at::equal(source->read_darks(all_rows(info)), numbered_frames(1, 3, 5, 7000)));
  expect_angles(*source, {0, 45 * kDegree, 90 * kDegree, 135 * kDegree});
  expect_ranges_agree(*source);
}

TEST(Dxchange, MayBeInRadiansAndWithoutFlatsAndDarks) {
  const auto source = open_projections(golden("dxchange_radians.h5"));
  EXPECT_EQ(source->info().angles_rad, (std::vector<double>{0, 0.25}));
  EXPECT_EQ(source->info().flats, 0);
  EXPECT_EQ(source->info().darks, 0);  // an empty data set
  EXPECT_TRUE(at::equal(source->read(Rows{0, 3}), numbered_frames(2, 3, 5, -1.5)));
  EXPECT_EQ(source->read_darks({1, 2}).sizes(), at::IntArrayRef({0, 2, 5}));
}

TEST(Dxchange, IsReadBackAsItWasWritten) {
  const TemporaryFolder folder;
  const Scan scan = numbered_scan();
  write_dxchange(folder / "a.h5", scan);
  const auto source = open_projections(folder / "a.h5");
  EXPECT_TRUE(at::equal(source->read(Rows{0, 7}), scan.projections));
  EXPECT_TRUE(at::equal(source->read_flats({0, 7}), scan.flats));
  EXPECT_TRUE(at::equal(source->read_darks({0, 7}), scan.darks));
  expect_angles(*source, scan.setup.angles_rad);
  EXPECT_NEAR(source->info().pixel_mm.value_or(0), 0.0125, 1e-15);
  expect_ranges_agree(*source);
  expect_threads_agree(*source);
}

TEST(Dxchange, IsWrittenWholeOrNotAtAll) {
  const TemporaryFolder folder;
  Scan scan = numbered_scan();
  scan.flats[1][2][3] = NAN;
  EXPECT_THAT(error_of([&] { write_dxchange(folder / "a.h5", scan); }), HasSubstr("NaN"));
  scan = numbered_scan();
  scan.setup.angles_rad.pop_back();
  EXPECT_THAT(error_of([&] { write_dxchange(folder / "a.h5", scan); }), HasSubstr("3 projection angles"));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Dxchange, WithoutAnglesTellsHowToGiveThem) {
  const TemporaryFolder folder;
  write_dxchange(folder / "a.h5", numbered_scan());
  unlink(folder / "a.h5", "exchange/theta");
  EXPECT_FALSE(is_scan(folder / "a.h5"));
  try {
    open_projections(folder / "a.h5");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("does not tell its projection angles"));
    EXPECT_THAT(error.hint(), HasSubstr("angle_range_deg = [0, 180]"));
  }
}

TEST(Dxchange, WithoutProjectionsIsRefused) {
  const TemporaryFolder folder;
  write_dxchange(folder / "a.h5", numbered_scan());
  unlink(folder / "a.h5", "exchange/data");
  EXPECT_THAT(error_of([&] { open_projections(folder / "a.h5"); }), HasSubstr("holds no projections"));
  unlink(folder / "a.h5", "exchange");
  EXPECT_THAT(error_of([&] { open_projections(folder / "a.h5"); }), HasSubstr("holds no projections"));
}

TEST(Dxchange, OfPartsThatDisagreeIsRefused) {
  const TemporaryFolder folder;
  Scan narrow = numbered_scan();
  narrow.projections = narrow.projections.narrow(0, 0, 3);
  narrow.setup.angles_rad.pop_back();
  write_dxchange(folder / "a.h5", narrow);
  unlink(folder / "a.h5", "exchange/theta");
  link(folder / "a.h5", "exchange/data_white", "exchange/theta");  // 2 x 7 x 9 numbers
  EXPECT_THAT(error_of([&] { open_projections(folder / "a.h5"); }),
              HasSubstr("3 projections, but 126 projection angles"));
}

TEST(Dxchange, WithAnglesThatAreNoneIsRefused) {
  const TemporaryFolder folder;
  write_dxchange(folder / "a.h5", numbered_scan());
  const auto replace_theta = [&](hid_t type, const void* four_values) {
    unlink(folder / "a.h5", "exchange/theta");
    const hsize_t count = 4;
    const hid_t file = H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t theta =
        H5Dcreate2(file, "exchange/theta", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Dwrite(theta, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, four_values);
    H5Dclose(theta);
    H5Sclose(space);
    H5Fclose(file);
  };
  const std::array<double, 4> angles{0, 45, NAN, 135};
  replace_theta(H5T_NATIVE_DOUBLE, angles.data());
  EXPECT_THAT(error_of([&] { open_projections(folder / "a.h5"); }), HasSubstr("projection angle 3 of"));
  replace_theta(H5T_C_S1, "0123");  // letters
  EXPECT_THAT(error_of([&] { open_projections(folder / "a.h5"); }), HasSubstr("holds no numbers"));
}

TEST(Dxchange, OfSinogramsIsNotTakenForProjections) {
  const TemporaryFolder folder;
  write_dxchange(folder / "a.h5", numbered_scan());
  const hid_t file = H5Fopen((folder / "a.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t data = H5Dopen2(file, "exchange/data", H5P_DEFAULT);
  const hid_t axes = H5Aopen(data, "axes", H5P_DEFAULT), type = H5Aget_type(axes);
  H5Awrite(axes, type, "y:theta:x");  // as long as "theta:y:x"
  H5Tclose(type);
  H5Aclose(axes);
  H5Dclose(data);
  H5Fclose(file);
  EXPECT_THAT(error_of([&] { open_projections(folder / "a.h5"); }), HasSubstr("y:theta:x"));
}

TEST(Dxchange, ThatIsNoneIsRefused) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { open_projections(folder / "none.h5"); }), HasSubstr("does not exist"));
  write_file(folder / "text.h5", "this is no scan\n");
  EXPECT_THAT(error_of([&] { open_projections(folder / "text.h5"); }), HasSubstr("neither"));
  EXPECT_THAT(error_of([&] { open_projections(folder.path()); }), HasSubstr("neither"));
}

// What a program does with a scan that it is given: all of it, or an Error.
bool reads_as(const fs::path& path, const Scan& truth) {
  try {
    const auto source = open_projections(path);
    const Rows rows = all_rows(source->info());
    EXPECT_TRUE(at::equal(source->read(rows), truth.projections));
    EXPECT_TRUE(at::equal(source->read_flats(rows), truth.flats));
    EXPECT_TRUE(at::equal(source->read_darks(rows), truth.darks));
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(Dxchange, CutAnywhereIsAnErrorOrTheWholeScan) {
  const TemporaryFolder folder;
  const Scan truth{
      numbered_frames(4, 3, 5), numbered_frames(2, 3, 5, 5000), numbered_frames(1, 3, 5, 7000), {}};
  const std::string bytes = read_file(golden("dxchange.h5"));
  ASSERT_TRUE(reads_as(golden("dxchange.h5"), truth));
  for (size_t i = 0; i < 100; ++i) {
    write_file(folder / "cut.h5", bytes.substr(0, bytes.size() * i / 100));
    EXPECT_FALSE(reads_as(folder / "cut.h5", truth)) << i;
  }
}

TEST(RealScans, ToothIsAScan) {
  const fs::path file = fs::path(LUCIVOX_SCANS) / "tooth/tooth.h5";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here";
  const auto source = open_projections(file);
  const ScanInfo& info = source->info();
  EXPECT_EQ((std::array{info.views, info.rows, info.columns, info.flats, info.darks}),
            (std::array<int64_t, 5>{181, 2, 640, 10, 10}));
  EXPECT_EQ(info.angles_rad.front(), 0);
  EXPECT_NEAR(info.angles_rad.back(), 180 * kDegree * 180 / 181, 1e-6);  // half a turn without its end
  expect_ranges_agree(*source);
  // beam without object is brighter than the object, and darkness is darker than both
  const double object = source->read(Rows{0, 2}).mean().item<double>(),
               beam = source->read_flats({0, 2}).mean().item<double>(),
               dark = source->read_darks({0, 2}).mean().item<double>();
  EXPECT_LT(dark, object);
  EXPECT_LT(object, beam);
}

}  // namespace
}  // namespace lucivox::testing
