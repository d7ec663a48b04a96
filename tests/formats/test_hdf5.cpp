#include <gmock/gmock.h>
#include <hdf5.h>
#include <tests/formats/images.h>

namespace fs = std::filesystem;
using ::testing::HasSubstr;

namespace lucivox::testing {
namespace {

// A data set as other programs write it, through the library itself.
struct ForeignData {
  const char* name;
  std::vector<hsize_t> shape;
  hid_t type = H5T_STD_I16BE;  // not this machine's byte order
  const char* units = nullptr;
};

void write_attribute(hid_t object, const char* value) {
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
  H5Tset_size(type, H5T_VARIABLE);  // as h5py writes text
  const hid_t attribute = H5Acreate2(object, "units", type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, static_cast<const void*>(&value));
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
}

void write_foreign(const fs::path& path, const std::vector<ForeignData>& all) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  for (const ForeignData& data : all) {
    const hid_t space = H5Screate_simple(static_cast<int>(data.shape.size()), data.shape.data(), nullptr);
    const hid_t set = H5Dcreate2(file, data.name, data.type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    std::vector<int32_t> values(static_cast<size_t>(H5Sget_simple_extent_npoints(space)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i) - 5;
    H5Dwrite(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    if (data.units != nullptr) write_attribute(set, data.units);
    H5Dclose(set);
    H5Sclose(space);
  }
  H5Pclose(links);
  H5Fclose(file);
}

TEST(Hdf5, PrefersImagesThenExchangeDataThenTheOnlyOne) {
  const TemporaryFolder folder;
  write_foreign(folder / "a.h5", {{"other", {2, 2, 2}}, {"images", {3, 4, 5}}, {"exchange/data", {1, 2, 3}}});
  EXPECT_EQ(open(folder / "a.h5")->info().shape, (std::array<int64_t, 3>{3, 4, 5}));
  write_foreign(folder / "b.h5", {{"exchange/data_dark", {9, 9, 9}}, {"exchange/data", {1, 2, 3}}});
  EXPECT_EQ(open(folder / "b.h5")->info().shape, (std::array<int64_t, 3>{1, 2, 3}));
  write_foreign(folder / "c.h5", {{"theta", {180}}, {"deep/down/slice", {4, 5}}});
  EXPECT_EQ(open(folder / "c.h5")->info().shape, (std::array<int64_t, 3>{1, 4, 5}));
}

TEST(Hdf5, AsksWhichWhenSeveralCouldBeMeant) {
  const TemporaryFolder folder;
  write_foreign(folder / "a.h5", {{"clean", {2, 2, 2}}, {"noisy", {2, 3, 2}}});
  EXPECT_THAT(error_of([&] { open(folder / "a.h5"); }), HasSubstr("clean, noisy"));
  EXPECT_EQ(open(folder / "a.h5:/noisy")->info().shape, (std::array<int64_t, 3>{2, 3, 2}));
  EXPECT_THAT(error_of([&] { open(folder / "a.h5:/noise"); }), HasSubstr("no 2D or 3D data set /noise"));
}

TEST(Hdf5, ReadsOtherByteOrdersAndRegions) {
  const TemporaryFolder folder;
  write_foreign(folder / "a.h5", {{"images", {3, 4, 5}}});
  const auto source = open(folder / "a.h5");
  EXPECT_EQ(source->info().scalar, Scalar::Int16);
  EXPECT_TRUE(at::equal(source->read(whole(source->info())), counting(source->info(), -5, 1)));
  expect_regions_agree(*source);
}

TEST(Hdf5, KeepsNameAttributesAndAxesOfItsSource) {
  const TemporaryFolder folder;
  write_foreign(folder / "a.h5", {{"exchange/data", {4, 5}, H5T_STD_U16LE, "counts"}});
  ImageInfo info = open(folder / "a.h5")->info();  // the source is closed: the header must not need it
  save(folder / "b.h5", info, counting(info, 0), {"Enhanced"});
  const auto again = open(folder / "b.h5:/exchange/data");
  EXPECT_EQ(again->info().header.at("units"), "counts");
  EXPECT_EQ(again->info().scalar, Scalar::UInt16);

  const hid_t file = H5Fopen((folder / "b.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  const hid_t set = H5Dopen2(file, "exchange/data", H5P_DEFAULT), space = H5Dget_space(set);
  EXPECT_EQ(H5Sget_simple_extent_ndims(space), 2);
  EXPECT_GT(H5Aexists(set, "derivation"), 0);
  H5Sclose(space);
  H5Dclose(set);
  H5Fclose(file);
}

TEST(Hdf5, KeepsTheSizeOfAVoxelAndUnits) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  save(folder / "a.h5", info, counting(info));
  const auto source = open(folder / "a.h5");
  EXPECT_EQ(source->info().spacing_mm, info.spacing_mm);
  EXPECT_EQ(source->info().units, Units::HU);
  EXPECT_EQ(source->info().header.at("data_set"), "/images");
}

TEST(Hdf5, ThatPromisesMoreThanWasWrittenIsRefused) {
  const TemporaryFolder folder;
  const hid_t file = H5Fcreate((folder / "a.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const std::array<hsize_t, 2> shape{1'000'000, 1'000'000};
  const hid_t space = H5Screate_simple(2, shape.data(), nullptr);
  H5Dclose(H5Dcreate2(file, "images", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  H5Fclose(file);
  EXPECT_THAT(error_of([&] { open(folder / "a.h5"); }), HasSubstr("promises"));
}

TEST(RealScans, ToothHasItsProjections) {
  const fs::path file = fs::path(LUCIVOX_SCANS) / "tooth/tooth.h5";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here";
  const auto source = open(file);
  EXPECT_EQ(source->info().shape, (std::array<int64_t, 3>{181, 2, 640}));
  EXPECT_EQ(source->info().header.at("units"), "counts");
  EXPECT_EQ(open(file.string() + ":/exchange/data_white")->info().shape,
            (std::array<int64_t, 3>{10, 2, 640}));
}

}  // namespace
}  // namespace lucivox::testing
