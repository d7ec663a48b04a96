#include <gmock/gmock.h>
#include <png.h>
#include <tests/formats/images.h>

#include <lucivox/base/files.h>

namespace fs = std::filesystem;
using ::testing::HasSubstr;

namespace lucivox::testing {
namespace {

TEST(Volumes, KeepGeometryAndValues) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  for (const char* name : {"a.nii", "a.nii.gz", "a.nrrd", "a.mha"}) {
    save(folder / name, info, counting(info));
    const auto source = open(folder / name);
    EXPECT_EQ(source->info().scalar, Scalar::Int16) << name;
    EXPECT_TRUE(at::equal(source->read(whole(info)), counting(info))) << name;
    expect_same_geometry(source->info(), info, 1e-5);  // NIfTI keeps float32
    expect_regions_agree(*source);
  }
}

TEST(Volumes, KeepEveryScalarType) {
  const TemporaryFolder folder;
  ImageInfo info;
  info.shape = {2, 3, 4};
  const at::Tensor values = counting(info, 0, 5);  // 0 .. 115: in the range of all types
  for (const char* name : {"a.nii", "a.nrrd", "a.mha", "a.tif", "a.h5"}) {
    for (const Scalar scalar :
         {Scalar::UInt8, Scalar::Int8, Scalar::UInt16, Scalar::Int16, Scalar::UInt32, Scalar::Int32,
          Scalar::UInt64, Scalar::Int64, Scalar::Float32, Scalar::Float64}) {
      info.scalar = scalar;
      save(folder / name, info, values);
      EXPECT_EQ(open(folder / name)->info().scalar, scalar) << name;
      EXPECT_TRUE(at::equal(load(folder / name), values)) << name << " " << to_string(scalar);
    }
  }
}

// Labels of 64 bits as they are: float64 would round the larger ones.
TEST(Volumes, KeepLabelsExactly) {
  const TemporaryFolder folder;
  ImageInfo info;
  info.shape = {2, 3, 4};
  info.scalar = Scalar::Int64;
  const at::Tensor labels = (int64_t{1} << 60) + torch::arange(24).reshape({2, 3, 4});
  const Region box{{1, 1, 1}, {1, 2, 3}};
  for (const char* name : {"a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.tif", "a.h5"}) {
    const auto sink = create(folder / name, info);
    sink->write_stored(slice(info, 1), labels.narrow(0, 1, 1));
    sink->write_stored(slice(info, 0), labels.narrow(0, 0, 1));
    EXPECT_THAT(error_of([&] { sink->write_stored(slice(info, 0), labels.narrow(0, 0, 1).to(at::kInt)); }),
                HasSubstr("stores int64, not Int"));
    sink->commit();
    const auto source = open(folder / name);
    EXPECT_TRUE(at::equal(source->read_stored(whole(info)), labels)) << name;
    EXPECT_TRUE(at::equal(source->read_stored(box), labels.narrow(0, 1, 1).narrow(1, 1, 2).narrow(2, 1, 3)))
        << name;
  }
}

// One millimetre that was measured is not one that is assumed.
TEST(Volumes, KeepWhetherTheSizeOfAVoxelIsKnown) {
  const TemporaryFolder folder;
  for (const char* name : {"a.nii", "a.nrrd", "a.mha", "a.tif", "a.h5", "series"}) {
    for (const bool known : {true, false}) {
      ImageInfo info;
      info.shape = {2, 3, 4};
      info.spacing_known = known;
      save(folder / name, info, counting(info, 0, 1));
      const ImageInfo again = open(folder / name)->info();
      EXPECT_EQ(again.spacing_known, known) << name;
      EXPECT_EQ(again.spacing_mm, info.spacing_mm) << name;
      fs::remove_all(folder / name);
    }
  }
}

TEST(Nifti, KeepsSlopeAndIntercept) {
  const TemporaryFolder folder;
  ImageInfo info = oblique_ct();
  info.scalar = Scalar::UInt16;
  info.slope = 0.5;
  info.intercept = -1024;
  save(folder / "a.nii.gz", info, counting(info, -1024, 3.5));
  const auto source = open(folder / "a.nii.gz");
  EXPECT_EQ(source->info().scalar, Scalar::UInt16);
  EXPECT_EQ(source->info().slope, 0.5);
  EXPECT_EQ(source->info().intercept, -1024);
  EXPECT_TRUE(at::equal(source->read(whole(info)), counting(info, -1024, 3.5)));

  save(folder / "again.nii.gz", source->info(), source->read(whole(info)));
  EXPECT_TRUE(at::equal(load(folder / "again.nii.gz"), counting(info, -1024, 3.5)));
}

TEST(Nifti, KeepsItsDescriptionBehindTheDerivation) {
  const TemporaryFolder folder;
  ImageInfo info = oblique_ct();
  info.header["descrip"] = "spm - algebra";
  save(folder / "a.nii", info, counting(info), {"Denoised"});
  EXPECT_EQ(open(folder / "a.nii")->info().header.at("descrip"), "Denoised; spm - algebra");
}

TEST(Volumes, KeepTheirHeaderEntries) {
  const TemporaryFolder folder;
  ImageInfo info = oblique_ct();
  info.header = {
      {"Modality", "CT"}, {"SeriesDescription", "STD BRAIN 1MM"}, {"ElementSize", "1 1 1"}, {"NDims", "7"}};
  for (const char* name : {"a.nrrd", "a.mha"}) {
    save(folder / name, info, counting(info), {"Enhanced"});
    const auto source = open(folder / name);
    EXPECT_EQ(source->info().header.at("SeriesDescription"), "STD BRAIN 1MM") << name;
    EXPECT_EQ(source->info().header.at("DerivationDescription"), "Enhanced") << name;
    expect_same_geometry(source->info(), info, 1e-5);
    EXPECT_TRUE(at::equal(source->read(whole(info)), counting(info))) << name;
  }
}

TEST(Volumes, WithoutACalibrationHoldTheValuesThemselves) {
  const TemporaryFolder folder;
  ImageInfo info = oblique_ct();
  info.scalar = Scalar::UInt16;
  info.intercept = -1024;
  for (const char* name : {"a.nrrd", "a.mha", "a.h5"}) {
    save(folder / name, info, counting(info));
    EXPECT_EQ(open(folder / name)->info().scalar, Scalar::Int16) << name;
    EXPECT_TRUE(at::equal(load(folder / name), counting(info))) << name;
  }
}

TEST(Volumes, OfSeveralTimesOrInTwoFilesAreRefused) {
  const TemporaryFolder folder;
  ImageInfo info = oblique_ct();
  EXPECT_THAT(error_of([&] { create(folder / "a.mhd", info); }), HasSubstr("second file"));
  save(folder / "a.nii", info, counting(info));
  std::string bytes = read_file(folder / "a.nii");
  // dim[0], dim[4], dim[3] of nifti1.h at bytes 40, 48 and 46: the three slices become three times
  bytes[40] = 4, bytes[46] = 1, bytes[48] = 3;
  write_file(folder / "times.nii", bytes);
  EXPECT_THAT(error_of([&] { open(folder / "times.nii"); }), HasSubstr("holds 3 volumes"));
}

TEST(Volumes, ReadDetachedHeaders) {
  const TemporaryFolder folder;
  write_file(folder / "voxels.raw", std::string("\x01\x00\x02\x00\x03\x00\x04\x00", 8));
  const std::string mhd = "ObjectType = Image\nNDims = 3\nDimSize = 2 1 2\nElementType = MET_SHORT\n";
  write_file(folder / "a.mhd", mhd + "ElementDataFile = voxels.raw\n");
  write_file(folder / "a.nhdr",
             "NRRD0004\ntype: short\ndimension: 3\nsizes: 2 1 2\nendian: little\nencoding: raw\ndata file: "
             "voxels.raw\n\n");
  for (const char* name : {"a.mhd", "a.nhdr"}) {
    EXPECT_TRUE(at::equal(load(folder / name), at::arange(1, 5, at::kFloat).reshape({2, 1, 2}))) << name;
  }
  write_file(folder / "b.mhd", mhd + "ElementDataFile = missing.raw\n");
  EXPECT_THAT(error_of([&] { open(folder / "b.mhd"); }), HasSubstr("missing"));
}

TEST(Png, KeepsEightAndSixteenBits) {
  const TemporaryFolder folder;
  ImageInfo info;
  info.shape = {1, 4, 5};
  for (const auto& [scalar, step] : {std::pair{Scalar::UInt8, 13}, std::pair{Scalar::UInt16, 3000}}) {
    info.scalar = scalar;
    save(folder / "a.png", info, counting(info, 0, step));
    EXPECT_EQ(open(folder / "a.png")->info().scalar, scalar);
    EXPECT_TRUE(at::equal(load(folder / "a.png"), counting(info, 0, step)));
  }
  EXPECT_THAT(error_of([&] { create(folder / "a.png", oblique_ct()); }), HasSubstr("PNG holds one slice"));
}

TEST(Png, InColourIsRefused) {
  const TemporaryFolder folder;
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = 2;
  image.format = PNG_FORMAT_RGB;
  const std::array<unsigned char, 12> pixels{1, 2, 3};
  ASSERT_NE(png_image_write_to_file(&image, (folder / "a.png").c_str(), 0, pixels.data(), 0, nullptr), 0);
  EXPECT_THAT(error_of([&] { open(folder / "a.png"); }), HasSubstr("colour"));
}

TEST(RealScans, BrainMriHasTheGeometryOfItsHeader) {
  const fs::path file = fs::path(LUCIVOX_SCANS) / "brain-mri/chris_t1.nii.gz";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here";
  const auto source = open(file);
  const ImageInfo& info = source->info();
  EXPECT_EQ(info.shape, (std::array<int64_t, 3>{190, 256, 188}));
  EXPECT_EQ(info.scalar, Scalar::UInt8);
  EXPECT_EQ(info.slope, 1);  // scl_slope is NaN there: no scaling
  // srow: 0.88 mm diagonal, offsets -83.12, -118.12, -77.12 in RAS: x and y change sign in LPS
  for (size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(info.spacing_mm[axis], 0.88, 1e-6);
  EXPECT_NEAR(info.origin_mm[0], 83.12, 1e-4);
  EXPECT_NEAR(info.origin_mm[1], 118.12, 1e-4);
  EXPECT_NEAR(info.origin_mm[2], -77.12, 1e-4);
  EXPECT_EQ(info.direction[0], -1);
  EXPECT_EQ(info.header.at("descrip"), "spm - algebra");
  const at::Tensor middle = source->read(slice(info, 95));
  EXPECT_GT(middle.max().item<float>(), 50);
  EXPECT_LE(middle.max().item<float>(), 255);
}

}  // namespace
}  // namespace lucivox::testing
