#include <cstdlib>
#include <cstring>

#include <gmock/gmock.h>
#include <tests/formats/images.h>
#include <tiffio.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/tiff_write.h>

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

namespace lucivox::testing {
namespace {

// A page as other programs write it, through libtiff itself.
struct ForeignPage {
  uint32_t width = 40, height = 30;
  uint16_t samples = 1, photometric = PHOTOMETRIC_MINISBLACK, compression = COMPRESSION_NONE;
  uint32_t tile = 0, rows_per_strip = 7;
  std::string description;
  float pixels_per_cm = 0;
};

uint16_t foreign_pixel(uint32_t x, uint32_t y) {
  return static_cast<uint16_t>(100 * y + x);
}

std::vector<uint16_t> foreign_block(const ForeignPage& page, uint32_t left, uint32_t top, uint32_t width,
                                    uint32_t rows) {
  std::vector<uint16_t> block(size_t{width} * rows * page.samples);
  for (uint32_t y = 0; y < rows; ++y) {
    for (uint32_t x = 0; x < width; ++x)
      block[(y * width + x) * page.samples] = foreign_pixel(left + x, top + y);
  }
  return block;
}

void write_foreign(TIFF* tiff, const ForeignPage& page) {
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, page.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, page.height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 16);
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, page.samples);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, page.photometric);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, page.compression);
  if (!page.description.empty()) TIFFSetField(tiff, TIFFTAG_IMAGEDESCRIPTION, page.description.c_str());
  if (page.pixels_per_cm > 0) {
    TIFFSetField(tiff, TIFFTAG_XRESOLUTION, page.pixels_per_cm);
    TIFFSetField(tiff, TIFFTAG_YRESOLUTION, page.pixels_per_cm);
    TIFFSetField(tiff, TIFFTAG_RESOLUTIONUNIT, RESUNIT_CENTIMETER);
  }
  if (page.tile == 0) TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, page.rows_per_strip);
  if (page.tile != 0) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, page.tile);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, page.tile);
  }
  const uint32_t width = page.tile == 0 ? page.width : page.tile,
                 rows = page.tile == 0 ? page.rows_per_strip : page.tile;
  uint32_t index = 0;
  for (uint32_t top = 0; top < page.height; top += rows) {
    for (uint32_t left = 0; left < page.width; left += width, ++index) {
      const uint32_t kept = page.tile == 0 ? std::min(rows, page.height - top) : rows;
      std::vector<uint16_t> block = foreign_block(page, left, top, width, kept);
      const auto bytes = static_cast<tmsize_t>(2 * block.size());
      if (page.tile == 0) TIFFWriteEncodedStrip(tiff, index, block.data(), bytes);
      if (page.tile != 0) TIFFWriteEncodedTile(tiff, index, block.data(), bytes);
    }
  }
  TIFFWriteDirectory(tiff);
}

void write_foreign(const fs::path& path, const std::vector<ForeignPage>& pages, const char* mode = "w") {
  TIFF* tiff = TIFFOpen(path.c_str(), mode);
  for (const ForeignPage& page : pages) write_foreign(tiff, page);
  TIFFClose(tiff);
}

at::Tensor foreign_values(const ForeignPage& page) {
  return at::arange(page.height, at::kFloat).unsqueeze(1) * 100 + at::arange(page.width, at::kFloat);
}

TEST(Tiff, OfStripsAndTilesInAnyCompressionReadsAlike) {
  const TemporaryFolder folder;
  for (const uint16_t compression :
       {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
    for (const uint32_t tile : {0, 16}) {  // 40 x 30 pixels are no whole number of tiles or strips
      ForeignPage page;
      page.compression = compression;
      page.tile = tile;
      write_foreign(folder / "a.tif", {page, page});
      const auto source = open(folder / "a.tif");
      EXPECT_EQ(source->info().shape, (std::array<int64_t, 3>{2, 30, 40}));
      EXPECT_TRUE(at::equal(source->read(whole(source->info()))[1], foreign_values(page)))
          << compression << " " << tile;
      expect_regions_agree(*source);
    }
  }
}

TEST(Tiff, CompressedAndCutIsAnError) {
  const TemporaryFolder folder;
  for (const uint16_t compression :
       {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
    ForeignPage page;
    page.compression = compression;
    write_foreign(folder / "a.tif", {page, page});
    const std::string bytes = read_file(folder / "a.tif");
    for (size_t i = 0; i < 20; ++i) {
      write_file(folder / "cut.tif", bytes.substr(0, bytes.size() * i / 20));
      EXPECT_THROW(load(folder / "cut.tif"), Error) << compression << " " << i;
    }
  }
}

TEST(Tiff, OfOtherByteOrderOrBigReadsAlike) {
  const TemporaryFolder folder;
  for (const char* mode : {"wb", "wl", "w8", "wb8"}) {
    write_foreign(folder / "a.tif", {ForeignPage{}}, mode);
    EXPECT_TRUE(at::equal(load(folder / "a.tif")[0], foreign_values(ForeignPage{}))) << mode;
  }
}

TEST(Tiff, AppliesTheCalibrationOfItsDescription) {
  const TemporaryFolder folder;
  ForeignPage page;
  page.description = "ImageJ=1.53t\nc0=-1024.0\nc1=0.5\nvunit=HU\nInfo=kept as it is\n";
  write_foreign(folder / "a.tif", {page});
  const auto source = open(folder / "a.tif");
  EXPECT_EQ(source->info().units, Units::HU);
  EXPECT_TRUE(at::equal(source->read(whole(source->info()))[0], foreign_values(page) * 0.5 - 1024));
  EXPECT_EQ(source->info().header.at("c0"), "-1024.0");

  save(folder / "b.tif", source->info(), source->read(whole(source->info())), {"Enhanced"});
  const auto again = open(folder / "b.tif");
  EXPECT_EQ(again->info().scalar, Scalar::UInt16);
  EXPECT_EQ(again->info().intercept, -1024);
  EXPECT_EQ(again->info().header.at("Info"), "kept as it is");
  EXPECT_EQ(again->info().header.at("derivation"), "Enhanced");
  EXPECT_TRUE(at::equal(load(folder / "b.tif")[0], foreign_values(page) * 0.5 - 1024));
}

TEST(Tiff, OfChannelsBecomesAPlainStack) {
  const TemporaryFolder folder;
  ForeignPage page;
  page.description = "ImageJ=1.53t\nimages=2\nchannels=2\nhyperstack=true\n";
  write_foreign(folder / "a.tif", {page, page});
  const ImageInfo info = open(folder / "a.tif")->info();
  save(folder / "b.tif", info, counting(info, 0, 1));
  const ImageInfo again = open(folder / "b.tif")->info();
  EXPECT_FALSE(again.header.contains("channels"));  // 2 channels of 2 slices would be 4 images
  EXPECT_EQ(again.header.at("slices"), "2");
}

TEST(Tiff, TellsTheSizeOfAVoxel) {
  const TemporaryFolder folder;
  ForeignPage page;
  page.pixels_per_cm = 50;  // 10 mm / 50 = 0.2 mm
  write_foreign(folder / "a.tif", {page, page});
  const ImageInfo info = open(folder / "a.tif")->info();
  EXPECT_NEAR(info.spacing_mm[0], 0.2, 1e-6);
  EXPECT_NEAR(info.spacing_mm[1], 0.2, 1e-6);

  ImageInfo ours = oblique_ct();
  save(folder / "b.tif", ours, counting(ours));
  const ImageInfo back = open(folder / "b.tif")->info();
  for (size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(back.spacing_mm[axis], ours.spacing_mm[axis], 1e-6);

  save(folder / "c.tif", info, load(folder / "a.tif"));  // centimetres become millimetres
  EXPECT_NEAR(open(folder / "c.tif")->info().spacing_mm[0], 0.2, 1e-6);
}

// One pixel per centimetre is what some programs write for nothing.
TEST(Tiff, KeepsAResolutionThatIsNoSizeOfAVoxel) {
  const TemporaryFolder folder;
  ForeignPage page;
  page.pixels_per_cm = 1;
  write_foreign(folder / "a.tif", {page});
  const ImageInfo info = open(folder / "a.tif")->info();
  EXPECT_FALSE(info.spacing_known);
  save(folder / "b.tif", info, load(folder / "a.tif"));
  EXPECT_FALSE(open(folder / "b.tif")->info().spacing_known);
  TIFF* tiff = TIFFOpen((folder / "b.tif").c_str(), "r");
  float resolution = 0;
  TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &resolution);
  TIFFClose(tiff);
  EXPECT_EQ(resolution, 1);
}

TEST(Tiff, InColourOrOfSeveralSizesIsRefused) {
  const TemporaryFolder folder;
  ForeignPage colour;
  colour.samples = 3;
  colour.photometric = PHOTOMETRIC_RGB;
  write_foreign(folder / "a.tif", {colour});
  EXPECT_THAT(error_of([&] { open(folder / "a.tif"); }), HasSubstr("colour"));
  ForeignPage wide;
  wide.width = 41;
  write_foreign(folder / "b.tif", {ForeignPage{}, wide});
  EXPECT_THAT(error_of([&] { open(folder / "b.tif"); }), HasSubstr("page 2 has 41 x 30"));
}

// Cuts the chain of pages behind the first: the form of ImageJ's stacks of more than 4 GB.
std::string with_one_page(std::string bytes) {
  const auto at = [&](size_t offset, size_t width) {
    size_t value = 0;
    std::memcpy(&value, bytes.data() + offset, width);
    return value;
  };
  const size_t directory = at(4, 4), fields = at(directory, 2);
  bytes.replace(directory + 2 + 12 * fields, 4, 4, '\0');
  return bytes;
}

TEST(Tiff, OfOnePageWithAllSlicesBehindItIsAStack) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  save(folder / "a.tif", info, counting(info));
  const std::string bytes = with_one_page(read_file(folder / "a.tif"));
  write_file(folder / "b.tif", bytes);
  const auto source = open(folder / "b.tif");
  EXPECT_EQ(source->info().shape, info.shape);
  EXPECT_TRUE(at::equal(source->read(whole(info)), counting(info)));
  expect_regions_agree(*source);
  write_file(folder / "cut.tif", bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(error_of([&] { open(folder / "cut.tif"); }), HasSubstr("promises 3 images"));
}

TEST(Tiff, WithLessThanItsDescriptionPromisesIsRefused) {
  const TemporaryFolder folder;
  ForeignPage page;
  page.description = "ImageJ=1.53t\nimages=300\nslices=300\n";
  write_foreign(folder / "one.tif", {page});
  EXPECT_THAT(error_of([&] { open(folder / "one.tif"); }), HasSubstr("promises 300 images"));
  write_foreign(folder / "two.tif", {page, page});
  EXPECT_THAT(error_of([&] { open(folder / "two.tif"); }), HasSubstr("promises 300 images"));
}

// What libtiff finds in a file, independent of our reader.
struct FoundPage {
  uint64_t offset, bytes;
  uint32_t strips;
  std::string description;
};

std::vector<FoundPage> pages_found(TIFF* tiff) {
  std::vector<FoundPage> pages;
  do {
    const char* description = "";
    TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &description);
    pages.push_back({TIFFGetStrileOffset(tiff, 0), TIFFGetStrileByteCount(tiff, 0), TIFFNumberOfStrips(tiff),
                     description});
  } while (TIFFReadDirectory(tiff) != 0);
  return pages;
}

// ImageJ takes the pixels of all pages from behind the first directory.
TEST(TiffWriter, LeavesNoGapBetweenPages) {
  const TemporaryFolder folder;
  ImageInfo info;
  info.scalar = Scalar::UInt8;
  info.shape = {300, 3, 5};  // 15 bytes: a page does not end where one would align the next
  save(folder / "a.tif", info, counting(info, 0, 0));
  TIFF* tiff = TIFFOpen((folder / "a.tif").c_str(), "rc");
  const std::vector<FoundPage> pages = pages_found(tiff);
  TIFFClose(tiff);
  ASSERT_EQ(pages.size(), 300U);
  EXPECT_THAT(pages[0].description, HasSubstr("images=300"));
  for (size_t z = 0; z < pages.size(); ++z) {
    EXPECT_EQ(pages[z].offset, pages[0].offset + 15 * z);
    EXPECT_EQ(pages[z].bytes, 15U);
    EXPECT_EQ(pages[z].strips, 1U);
  }
}

// The form of images beyond 4 GB, with a small one.
TEST(TiffWriter, WritesBigTiffThatDoesNotClaimToBeImageJs) {
  const TemporaryFolder folder;
  ImageInfo info = oblique_ct();
  const at::Tensor stored = counting(info).to(at::kShort);
  const auto* bytes = static_cast<const std::byte*>(stored.const_data_ptr());
  ASSERT_TRUE(formats::write_tiff(folder / "a.tif", formats::TiffKind::Big, info, "Enhanced", bytes));
  TIFF* tiff = TIFFOpen((folder / "a.tif").c_str(), "rc");
  EXPECT_NE(TIFFIsBigTIFF(tiff), 0);
  const std::string description = pages_found(tiff)[0].description;
  TIFFClose(tiff);
  EXPECT_THAT(description, Not(HasSubstr("ImageJ")));
  EXPECT_THAT(description, Not(HasSubstr("images=")));
  const auto source = open(folder / "a.tif");
  EXPECT_TRUE(at::equal(source->read(whole(info)), counting(info)));
  EXPECT_EQ(source->info().units, Units::HU);
  for (size_t axis = 0; axis < 3; ++axis)  // kept as a ratio of 32-bit numbers
    EXPECT_NEAR(source->info().spacing_mm[axis], info.spacing_mm[axis], 1e-6);
  EXPECT_EQ(source->info().header.at("derivation"), "Enhanced");
}

TEST(TiffWriter, TakesBigTiffBeyond4GB) {
  ImageInfo info;  // float32
  info.shape = {900, 1024, 1024};
  EXPECT_EQ(formats::tiff_kind(info), formats::TiffKind::Classic);  // 3.8e9 bytes
  info.shape[0] = 1000;
  EXPECT_EQ(formats::tiff_kind(info), formats::TiffKind::Big);  // 4.2e9
}

TEST(TiffWriter, KeepsUnitsAndCalibrationOfEveryType) {
  const TemporaryFolder folder;
  for (const Scalar scalar : {Scalar::UInt8, Scalar::UInt16, Scalar::Int16, Scalar::Float32}) {
    for (const Units units : {Units::Unknown, Units::HU, Units::PerMm}) {
      for (const double slope : {1.0, 0.5}) {
        ImageInfo info;
        info.shape = {2, 3, 4};
        info.scalar = scalar;
        info.units = units;
        info.slope = slope;
        info.intercept = slope == 1 ? 0 : -8;
        const at::Tensor values = counting(info, info.intercept, slope);
        save(folder / "a.tif", info, values);
        const auto source = open(folder / "a.tif");
        const std::string message = to_string(scalar) + " " + to_string(units);
        EXPECT_EQ(source->info().scalar, scalar) << message;
        EXPECT_EQ(source->info().units, units) << message;
        EXPECT_TRUE(at::equal(source->read(whole(info)), values)) << message << " " << slope;
        if (scalar != Scalar::Float32) {
          EXPECT_EQ(source->info().slope, slope) << message;
        }
      }
    }
  }
}

TEST(TiffWriter, KeepsTheUnitOfASourceThatIsNoneOfOurs) {
  const TemporaryFolder folder;
  ForeignPage page;
  page.description = "ImageJ=1.53t\ncf=0\nc0=0\nc1=0.01\nvunit=OD\n";
  write_foreign(folder / "a.tif", {page});
  const ImageInfo info = open(folder / "a.tif")->info();
  EXPECT_EQ(info.units, Units::Unknown);
  save(folder / "b.tif", info, load(folder / "a.tif"));
  EXPECT_EQ(open(folder / "b.tif")->info().header.at("vunit"), "OD");
}

TEST(Tiff, ReturnsTheNotANumberOfItsFile) {
  const TemporaryFolder folder;
  ImageInfo info;
  info.shape = {1, 1, 2};
  save(folder / "a.tif", info, at::tensor({1.F, 2.F}).reshape({1, 1, 2}));
  std::string bytes = read_file(folder / "a.tif");
  const size_t one = bytes.find(std::string("\x00\x00\x80\x3F", 4));  // 1.0F
  ASSERT_NE(one, std::string::npos);
  bytes.replace(one, 4, std::string("\x00\x00\xC0\x7F", 4));  // a quiet NaN
  write_file(folder / "a.tif", bytes);
  const at::Tensor values = load(folder / "a.tif");
  EXPECT_TRUE(std::isnan(values[0][0][0].item<float>()));
  EXPECT_EQ(values[0][0][1].item<float>(), 2);
}

TEST(RealScans, NucleiAreStacksOfPages) {
  const fs::path file = fs::path(LUCIVOX_SCANS) / "nuclei/img3d.tif";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here";
  const auto source = open(file);
  EXPECT_EQ(source->info().shape, (std::array<int64_t, 3>{31, 61, 57}));
  EXPECT_EQ(source->info().scalar, Scalar::UInt16);
  expect_regions_agree(*source);
}

}  // namespace
}  // namespace lucivox::testing
