#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <tests/formats/scans.h>
#include <tiffio.h>

#include <lucivox/base/files.h>
#include <lucivox/base/random.h>

namespace fs = std::filesystem;
using ::testing::HasSubstr;

namespace lucivox::testing {
namespace {

ImageInfo info_of(const at::Tensor& frames, Scalar scalar = Scalar::UInt16) {
  ImageInfo info;
  info.shape = {frames.size(0), frames.size(1), frames.size(2)};
  info.scalar = scalar;
  return info;
}

void save_stack(const fs::path& file, const at::Tensor& frames) {
  save(file, info_of(frames), frames);
}

// A TIFF a frame: proj_0.tif, proj_1.tif, ..., proj_10.tif
void save_folder(const fs::path& folder, const at::Tensor& frames) {
  fs::create_directory(folder);
  for (int64_t f = 0; f < frames.size(0); ++f)
    save_stack(folder / fmt::format("proj_{}.tif", f), frames.narrow(0, f, 1));
}

// Numbers of a type in the byte order of this machine, or turned around, behind a header.
template <typename Number>
std::string raw_bytes(const at::Tensor& frames, size_t header_bytes, bool turned) {
  std::string bytes(header_bytes, 'h');
  const at::Tensor flat = frames.flatten();
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const auto number = static_cast<Number>(flat[i].item<double>());
    std::string one(sizeof number, '\0');
    std::memcpy(one.data(), &number, sizeof number);
    if (turned) std::reverse(one.begin(), one.end());
    bytes += one;
  }
  return bytes;
}

class ScanDescription : public ::testing::Test {
 protected:
  fs::path describe(const std::string& toml) const {
    write_file(folder_ / "scan.toml", toml);
    return folder_ / "scan.toml";
  }
  std::unique_ptr<ProjectionSource> opened(const std::string& toml) const {
    return open_projections(describe(toml));
  }
  std::string error_opening(const std::string& toml) const {
    return error_of([&] { opened(toml); });
  }

  void expect_is_the_scan(const ProjectionSource& source) const {
    const Rows rows = all_rows(source.info());
    EXPECT_TRUE(at::equal(source.read(rows), scan_.projections));
    EXPECT_TRUE(at::equal(source.read_flats(rows), scan_.flats));
    EXPECT_TRUE(at::equal(source.read_darks(rows), scan_.darks));
    expect_angles(source, scan_.setup.angles_rad);
    expect_ranges_agree(source);
    expect_threads_agree(source);
  }

  TemporaryFolder folder_;
  Scan scan_ = numbered_scan();
};

TEST_F(ScanDescription, OfMultiPageTiffs) {
  save_stack(folder_ / "proj.tif", scan_.projections);
  save_stack(folder_ / "flat.tif", scan_.flats);
  save_stack(folder_ / "dark.tif", scan_.darks);
  const auto source = opened(
      "projections = 'proj.tif'\nflats = 'flat.tif'\ndarks = 'dark.tif'\n"
      "angles_deg = [0, 45, 90.0, 135]\npixel_mm = 0.25\n");
  EXPECT_EQ(source->info().format, "TIFF");
  EXPECT_EQ(source->info().scalar, Scalar::UInt16);
  EXPECT_EQ(source->info().pixel_mm, 0.25);
  expect_is_the_scan(*source);
}

TEST_F(ScanDescription, OfFoldersOfTiffsInNaturalOrder) {
  scan_.projections = numbered_frames(12, 7, 9);  // proj_10 stands before proj_2 in the alphabet
  save_folder(folder_ / "proj", scan_.projections);
  save_folder(folder_ / "flat", scan_.flats);
  save_folder(folder_ / "dark", scan_.darks);
  write_file(folder_ / "proj/notes.txt", "what else lies there is left alone");
  const auto source =
      opened("projections = 'proj'\nflats = 'flat'\ndarks = 'dark'\nangle_range_deg = [-90, 90]\n");
  // half a turn without its end: 12 steps of 15 degrees
  scan_.setup.angles_rad.clear();
  for (int v = 0; v < 12; ++v) scan_.setup.angles_rad.push_back((-90 + 15 * v) * kDegree);
  expect_is_the_scan(*source);
}

TEST_F(ScanDescription, OfRawFiles) {
  write_file(folder_ / "proj.raw", raw_bytes<uint16_t>(scan_.projections, 16, true));
  write_file(folder_ / "flat.raw", raw_bytes<uint16_t>(scan_.flats, 16, true));
  write_file(folder_ / "dark.raw", raw_bytes<uint16_t>(scan_.darks, 16, true));
  write_file(folder_ / "angles.txt", "0\n45.0\r\n\n  9e1\n135");
  const auto source = opened(
      "projections = 'proj.raw'\nflats = 'flat.raw'\ndarks = 'dark.raw'\nangles_file = 'angles.txt'\n"
      "[raw]\nshape = [4, 7, 9]\nflats = 2\ndarks = 1\nbyte_order = 'big'\noffset = 16\n");
  EXPECT_EQ(source->info().format, "raw");
  expect_is_the_scan(*source);
}

TEST_F(ScanDescription, OfRawFilesOfAnyType) {
  const at::Tensor frames = numbered_frames(1, 7, 9);  // 0 to 68: every type holds them
  const auto expect_read = [&](const char* type, const std::string& bytes) {
    write_file(folder_ / "proj.raw", bytes);
    const auto source = opened(fmt::format(
        "projections = 'proj.raw'\nangles_deg = [0]\n[raw]\nshape = [1, 7, 9]\ntype = '{}'\n", type));
    EXPECT_EQ(to_string(source->info().scalar), type);
    EXPECT_TRUE(at::equal(source->read(Rows{0, 7}), frames)) << type;
  };
  expect_read("uint8", raw_bytes<uint8_t>(frames, 0, false));
  expect_read("int8", raw_bytes<int8_t>(frames, 0, false));
  expect_read("uint16", raw_bytes<uint16_t>(frames, 0, false));
  expect_read("int16", raw_bytes<int16_t>(frames, 0, false));
  expect_read("uint32", raw_bytes<uint32_t>(frames, 0, false));
  expect_read("int32", raw_bytes<int32_t>(frames, 0, false));
  expect_read("float32", raw_bytes<float>(frames, 0, false));
  expect_read("float64", raw_bytes<double>(frames, 0, false));
}

TEST_F(ScanDescription, GivesAnglesToHdf5WithoutThem) {
  save_stack(folder_ / "proj.h5", scan_.projections);
  const auto source = opened("projections = 'proj.h5:/images'\nangle_range_deg = [0, 180]\n");
  EXPECT_TRUE(at::equal(source->read(Rows{2, 3}), scan_.projections.narrow(1, 2, 3)));
  expect_angles(*source, scan_.setup.angles_rad);
}

TEST_F(ScanDescription, WithKeysThatAreUnknownOrOfAnotherTypeIsRefused) {
  try {
    opened("projektions = 'proj'\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.hint(), HasSubstr("did you mean 'projections'?"));
  }
  EXPECT_THAT(error_opening("projections = 3\n"), HasSubstr("projections has the wrong type"));
  EXPECT_THAT(error_opening("angles_deg = ['a']\n"), HasSubstr("angles_deg has the wrong type"));
  EXPECT_THAT(error_opening("angles_deg = [true]\n"), HasSubstr("angles_deg has the wrong type"));
  EXPECT_THAT(error_opening("angles_deg = [nan]\n"), HasSubstr("angles_deg has the wrong type"));
  EXPECT_THAT(error_opening("[raw]\nshap = [1, 2, 3]\n"), HasSubstr("unknown key 'shap'"));
  EXPECT_THAT(error_opening("[raw]\nshape = [1.5, 2, 3]\n"), HasSubstr("shape has the wrong type"));
  EXPECT_THAT(error_opening("raw = 3\n"), HasSubstr("must be a table"));
  EXPECT_THAT(error_opening("projections = \n"), HasSubstr("line 1"));
}

TEST_F(ScanDescription, OfFilesThatAreNotThereIsRefused) {
  EXPECT_THAT(error_opening("angles_deg = [0]\n"), HasSubstr("where the projections are"));
  EXPECT_THAT(error_opening("projections = 'none'\nangles_deg = [0]\n"), HasSubstr("none does not exist"));
  EXPECT_THAT(error_opening("projections = 'none.raw'\n[raw]\nshape = [1, 2, 3]\n"),
              HasSubstr("none.raw does not exist"));
  fs::create_directory(folder_ / "empty");
  EXPECT_THAT(error_opening("projections = 'empty'\nangles_deg = [0]\n"), HasSubstr("is empty"));
  save_stack(folder_ / "proj.tif", scan_.projections);
  EXPECT_THAT(error_opening("projections = 'proj.tif'\nangles_file = 'none.txt'\n"),
              HasSubstr("none.txt does not exist"));
  EXPECT_THAT(error_of([&] { open_projections(folder_ / "none.toml"); }), HasSubstr("none.toml does not"));
}

TEST_F(ScanDescription, WithAnglesThatDoNotFitIsRefused) {
  save_stack(folder_ / "proj.tif", scan_.projections);
  const std::string proj = "projections = 'proj.tif'\n";
  EXPECT_THAT(error_opening(proj), HasSubstr("projection angles nowhere"));
  EXPECT_THAT(error_opening(proj + "angles_deg = [0]\nangle_range_deg = [0, 180]\n"),
              HasSubstr("in several ways"));
  EXPECT_THAT(error_opening(proj + "angle_range_deg = [0]\n"), HasSubstr("has 1 numbers"));
  EXPECT_THAT(error_opening(proj + "angles_deg = [0, 45, 90]\n"),
              HasSubstr("4 projections, but 3 projection angles"));
  write_file(folder_ / "angles.txt", "0\n45\nninety\n");
  EXPECT_THAT(error_opening(proj + "angles_file = 'angles.txt'\n"), HasSubstr("line 3: 'ninety'"));
  write_file(folder_ / "angles.txt", "0\n45\nnan\n135\n");
  EXPECT_THAT(error_opening(proj + "angles_file = 'angles.txt'\n"), HasSubstr("angle 3 of"));
}

TEST_F(ScanDescription, OfFramesThatDifferIsRefused) {
  save_folder(folder_ / "proj", scan_.projections);
  save_stack(folder_ / "flat.tif", scan_.flats.narrow(2, 0, 8));
  EXPECT_THAT(error_opening("projections = 'proj'\nflats = 'flat.tif'\nangle_range_deg = [0, 180]\n"),
              HasSubstr("7 x 8"));
  save_stack(folder_ / "proj/proj_2.tif", scan_.projections.narrow(0, 2, 1).narrow(1, 0, 6));
  EXPECT_THAT(error_opening("projections = 'proj'\nangle_range_deg = [0, 180]\n"),
              HasSubstr("proj_2.tif has 9 x 6 pixels of uint16, proj_0.tif has 9 x 7"));
  save_stack(folder_ / "proj/proj_2.tif", scan_.projections.narrow(0, 2, 2));
  EXPECT_THAT(error_opening("projections = 'proj'\nangle_range_deg = [0, 180]\n"), HasSubstr("2 pages"));
}

TEST_F(ScanDescription, OfColourIsRefused) {
  fs::create_directory(folder_ / "proj");
  TIFF* tiff = TIFFOpen((folder_ / "proj/0.tif").c_str(), "w");
  for (const auto& [tag, value] : {std::pair{TIFFTAG_IMAGEWIDTH, 1},
                                   {TIFFTAG_IMAGELENGTH, 1},
                                   {TIFFTAG_BITSPERSAMPLE, 8},
                                   {TIFFTAG_SAMPLESPERPIXEL, 3},
                                   {TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG},
                                   {TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB}})
    TIFFSetField(tiff, static_cast<uint32_t>(tag), value);
  std::array<char, 3> red{127, 0, 0};
  TIFFWriteEncodedStrip(tiff, 0, red.data(), red.size());
  TIFFClose(tiff);
  EXPECT_THAT(error_opening("projections = 'proj'\nangles_deg = [0]\n"), HasSubstr("colour"));
}

TEST_F(ScanDescription, OfRawFilesOfAnotherSizeIsRefused) {
  write_file(folder_ / "proj.raw", raw_bytes<uint16_t>(scan_.projections, 0, false));
  const auto error_with = [&](const std::string& raw) {
    return error_opening("projections = 'proj.raw'\nangle_range_deg = [0, 180]\n" + raw);
  };
  EXPECT_THAT(error_with(""), HasSubstr("is a raw file"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, 7, 8]\n"), HasSubstr("has 504 bytes"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, 7, 9]\noffset = 1\n"), HasSubstr("are 505"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, 7, 9]\ntype = 'float32'\n"), HasSubstr("are 1008"));
  // 2^62 * 4 and 2^63 - 1: products and sums that wrap around must not look like the right size
  EXPECT_THAT(error_with("[raw]\nshape = [4611686018427387904, 4, 63]\n"), HasSubstr("more than a file"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, 7, 9]\noffset = 9223372036854775807\n"),
              HasSubstr("more than a file"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, -7, -9]\n"), HasSubstr("cannot be"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, 7]\n"), HasSubstr("has 2 numbers"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, 7, 9]\ntype = 'unit16'\n"), HasSubstr("'unit16' is not known"));
  EXPECT_THAT(error_with("[raw]\nshape = [4, 7, 9]\nbyte_order = 'middle'\n"), HasSubstr("'middle'"));
  EXPECT_THAT(error_opening("projections = 'proj.raw'\nflats = 'proj.raw'\nangle_range_deg = [0, 180]\n"
                            "[raw]\nshape = [4, 7, 9]\n"),
              HasSubstr("0 frames"));
}

TEST_F(ScanDescription, OfFilesCutAnywhereIsAnErrorOrTheWholeScan) {
  save_stack(folder_ / "proj.tif", scan_.projections);
  write_file(folder_ / "proj.raw", raw_bytes<uint16_t>(scan_.projections, 0, false));
  Random random(11);
  for (const char* name : {"proj.tif", "proj.raw"}) {
    const std::string bytes = read_file(folder_ / name);
    const fs::path description =
        describe(fmt::format("projections = '{}'\nangle_range_deg = [0, 180]\n{}", name,
                             std::string(name).ends_with(".raw") ? "[raw]\nshape = [4, 7, 9]\n" : ""));
    for (int i = 0; i < 60; ++i) {
      write_file(folder_ / name,
                 bytes.substr(0, static_cast<size_t>(random.integer(static_cast<int64_t>(bytes.size())))));
      try {
        EXPECT_TRUE(at::equal(open_projections(description)->read(Rows{0, 7}), scan_.projections));
      } catch (const Error&) {
      }
    }
  }
}

}  // namespace
}  // namespace lucivox::testing
