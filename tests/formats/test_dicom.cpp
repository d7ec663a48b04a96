#include <fstream>

#include <gdcmImageChangeTransferSyntax.h>
#include <gdcmImageReader.h>
#include <gdcmImageWriter.h>
#include <gdcmReader.h>
#include <gdcmWriter.h>
#include <gmock/gmock.h>
#include <tests/formats/images.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/dicom_tags.h>

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

namespace lucivox::testing {
namespace {

namespace tag = formats::tag;
using gdcm::VR;

gdcm::DataSet data_set(const fs::path& path) {
  gdcm::Reader reader;
  reader.SetFileName(path.c_str());
  EXPECT_TRUE(reader.Read()) << path;
  return reader.GetFile().GetDataSet();
}

std::string text_of(const fs::path& path, const gdcm::Tag& at) {
  return formats::text(data_set(path), at);
}

// Rewrites a slice with some elements changed.
template <typename Change>
void change(const fs::path& path, const Change& body) {
  gdcm::Reader reader;
  reader.SetFileName(path.c_str());
  ASSERT_TRUE(reader.Read());
  body(reader.GetFile().GetDataSet());
  gdcm::Writer writer;
  writer.SetFile(reader.GetFile());
  writer.SetFileName(path.c_str());
  ASSERT_TRUE(writer.Write());
}

// A series as a scanner writes it: 12 of 16 unsigned bits, intercept -1024, and more in its header.
class ScannerSeries : public ::testing::Test {
 protected:
  void SetUp() override {
    info.shape = {3, 40, 30};
    values = counting(info, 0, 1);
    write_series();
  }

  void write_series() {
    fs::remove_all(series);
    save(series, info, values);
    for (const fs::path& path : slices(series)) {
      change(path, [](gdcm::DataSet& set) {
        formats::set_binary(set, tag::bits_stored(), 12);
        formats::set_binary(set, tag::high_bit(), 11);
        formats::set_binary(set, tag::pixel_representation(), 0);
        formats::set_binary(set, tag::padding(), 0);
        formats::set_text(set, tag::intercept(), VR::DS, "-1024");
        formats::set_text(set, tag::series_number(), VR::IS, "202");
        formats::set_text(set, tag::series_description(), VR::LO, "STD BRAIN");
        formats::set_text(set, {0x0010, 0x0020}, VR::LO, "PLASTIC");
        formats::set_text(set, {0x0028, 0x1050}, VR::DS, "40\\400");
        formats::set_text(set, {0x0028, 0x0106}, VR::US, std::string("\1\0", 2));
        formats::set_text(set, {0x0028, 0x2110}, VR::CS, "00");
        formats::set_text(set, {0x0019, 0x0010}, VR::LO, "VENDOR");
        formats::set_text(set, {0x0019, 0x1001}, VR::LO, "private");
      });
    }
  }

  static std::vector<fs::path> slices(const fs::path& folder_) {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(folder_)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  TemporaryFolder folder;
  fs::path series = folder / "series";
  ImageInfo info = oblique_ct();
  at::Tensor values;  // as stored: 0 .. 3599; with the intercept -1024 .. 2575 HU
};

TEST_F(ScannerSeries, IsReadInHounsfieldUnitsWithItsGeometry) {
  const auto source = open(series);
  EXPECT_EQ(source->info().format, "DICOM");
  EXPECT_EQ(source->info().units, Units::HU);
  EXPECT_EQ(source->info().scalar, Scalar::UInt16);
  EXPECT_EQ(source->info().padding, -1024.0);
  EXPECT_EQ(source->info().header.at("PatientID"), "PLASTIC");
  EXPECT_EQ(source->info().header.at("WindowCenter"), "40\\400");
  expect_same_geometry(source->info(), info, 1e-9);
  EXPECT_TRUE(at::equal(source->read(whole(info)), values - 1024));
  expect_regions_agree(*source);
}

TEST_F(ScannerSeries, IsSortedByPositionNotByName) {
  fs::rename(series / "slice_0001.dcm", series / "z");
  fs::rename(series / "slice_0003.dcm", series / "a");
  for (const fs::path& path : slices(series)) {  // nor by a number that misleads
    change(path, [](gdcm::DataSet& set) { formats::set_text(set, tag::instance_number(), VR::IS, "1"); });
  }
  EXPECT_TRUE(at::equal(load(series), values - 1024));
}

TEST_F(ScannerSeries, WithoutPositionsIsSortedByInstanceNumber) {
  for (const fs::path& path : slices(series)) {
    change(path, [](gdcm::DataSet& set) {
      set.Remove(tag::position());
      const int number = std::stoi(formats::text(set, tag::instance_number()));
      formats::set_text(set, tag::instance_number(), VR::IS,
                        std::to_string(20 - number));  // 19, 18, 17: reversed
    });
  }
  EXPECT_TRUE(at::equal(load(series), (values - 1024).flip(0)));
}

TEST_F(ScannerSeries, DerivedKeepsThePatientAndMarksTheDerivation) {
  const auto source = open(series);
  save(folder / "out", source->info(), values - 1000, {"Enhanced by lucivox 0.1.0"});
  const auto before = slices(series), after = slices(folder / "out");
  ASSERT_EQ(after.size(), before.size());
  for (size_t z = 0; z < after.size(); ++z) {
    const gdcm::DataSet old = data_set(before[z]), set = data_set(after[z]);
    for (const gdcm::Tag& kept :
         {gdcm::Tag(0x0010, 0x0020), tag::study_instance(), gdcm::Tag(0x0020, 0x0052), tag::position(),
          tag::orientation(), tag::pixel_spacing(), gdcm::Tag(0x0028, 0x1050), tag::intercept(), tag::slope(),
          gdcm::Tag(0x0019, 0x1001), gdcm::Tag(0x0028, 0x2110)}) {
      EXPECT_EQ(formats::text(set, kept), formats::text(old, kept)) << kept;
      EXPECT_TRUE(set.FindDataElement(kept)) << kept;
    }
    EXPECT_EQ(formats::binary(set, tag::bits_stored()), 12);
    EXPECT_EQ(formats::binary(set, tag::pixel_representation()), 0);
    EXPECT_EQ(formats::binary(set, tag::padding()), 0);
    EXPECT_EQ(formats::text(set, tag::image_type()), "DERIVED\\SECONDARY\\AXIAL");
    EXPECT_EQ(formats::text(set, tag::derivation_description()), "Enhanced by lucivox 0.1.0");
    EXPECT_EQ(formats::text(set, tag::series_description()), "STD BRAIN lucivox");
    EXPECT_EQ(formats::text(set, tag::series_number()), "1202");
    EXPECT_FALSE(set.FindDataElement(gdcm::Tag(0x0028, 0x0106)));
    const auto sources = set.GetDataElement(tag::source_images()).GetValueAsSQ();
    ASSERT_EQ(sources->GetNumberOfItems(), 1U);
    const gdcm::DataSet& reference = sources->GetItem(1).GetNestedDataSet();
    EXPECT_EQ(formats::text(reference, tag::referenced_sop_instance()),
              formats::text(old, tag::sop_instance()));
    EXPECT_EQ(formats::text(reference, tag::referenced_sop_class()), formats::text(old, tag::sop_class()));
  }
}

TEST_F(ScannerSeries, DerivedHasUidsOfItsOwn) {
  save(folder / "out", open(series)->info(), values - 1000, {"Enhanced"});
  std::set<std::string> instances, all_series;
  for (const char* name : {"series", "out"}) {
    for (const fs::path& path : slices(folder / name)) {
      instances.insert(text_of(path, tag::sop_instance()));
      all_series.insert(text_of(path, tag::series_instance()));
    }
  }
  EXPECT_EQ(instances.size(), 6U);   // 3 of the source, 3 derived
  EXPECT_EQ(all_series.size(), 2U);  // the derived slices share one
}

TEST_F(ScannerSeries, DerivedValuesAreRoundedAndSaturatedToTheStoredBits) {
  at::Tensor enhanced = values - 1000;
  enhanced[0][0][0] = -5000;  // below 0 stored
  enhanced[0][0][1] = 9000;   // above 4095 stored: 4095 - 1024
  enhanced[0][0][2] = 12.4F;  // between two stored numbers
  save(folder / "out", open(series)->info(), enhanced, {"Enhanced"});
  const at::Tensor back = load(folder / "out");
  EXPECT_EQ(back[0][0][0].item<float>(), -1024);
  EXPECT_EQ(back[0][0][1].item<float>(), 3071);
  EXPECT_EQ(back[0][0][2].item<float>(), 12);
  EXPECT_TRUE(at::equal(back.narrow(1, 1, 39), enhanced.narrow(1, 1, 39)));
  expect_same_geometry(open(folder / "out")->info(), info, 1e-9);
}

TEST_F(ScannerSeries, WithAScaleForEachSliceIsReadAndWrittenWithEachItsOwn) {
  change(series / "slice_0002.dcm", [](gdcm::DataSet& set) {
    formats::set_text(set, tag::slope(), VR::DS, "2");
    formats::set_text(set, tag::intercept(), VR::DS, "10");
  });
  at::Tensor expected = values - 1024;
  expected[1] = values[1] * 2 + 10;
  const auto source = open(series);
  EXPECT_TRUE(at::equal(source->read(whole(info)), expected));
  EXPECT_EQ(source->info().scalar, Scalar::Float32);  // no single slope describes all
  EXPECT_THAT(error_of([&] { source->read_stored(whole(source->info())); }),
              HasSubstr("slices with rescale slopes of their own"));
  save(folder / "out", source->info(), expected, {"Enhanced"});
  EXPECT_TRUE(at::equal(load(folder / "out"), expected));
  EXPECT_EQ(text_of(folder / "out/slice_0002.dcm", tag::slope()), "2");
}

TEST_F(ScannerSeries, MixedWithAnotherIsRefusedWithAList) {
  change(series / "slice_0002.dcm",
         [](gdcm::DataSet& set) { formats::set_text(set, tag::series_instance(), VR::UI, "1.2.3.4"); });
  const std::string message = error_of([&] { open(series); });
  EXPECT_THAT(message, HasSubstr("2 DICOM series"));
  EXPECT_THAT(message, HasSubstr("1.2.3.4 (1 slices"));
  EXPECT_THAT(message, HasSubstr("(2 slices"));
}

TEST_F(ScannerSeries, WithASliceTwiceOrOfAnotherSizeIsRefused) {
  fs::copy_file(series / "slice_0002.dcm", series / "copy.dcm");
  EXPECT_THAT(error_of([&] { open(series); }), HasSubstr("same place"));
  fs::remove(series / "copy.dcm");
  change(series / "slice_0002.dcm", [](gdcm::DataSet& set) { formats::set_binary(set, tag::rows(), 4); });
  EXPECT_THAT(error_of([&] { open(series); }), HasSubstr("differ in size"));
}

TEST_F(ScannerSeries, IgnoresNotesButNotABrokenSlice) {
  write_file(series / "readme.txt", "scanned on a Tuesday");
  EXPECT_EQ(open(series)->info().shape[0], 3);
  write_file(series / "slice_0004.dcm", "");
  EXPECT_THAT(error_of([&] { open(series); }), HasSubstr("slice_0004.dcm"));
}

TEST_F(ScannerSeries, InColourOrOfManyFramesIsRefused) {
  change(series / "slice_0001.dcm",
         [](gdcm::DataSet& set) { formats::set_text(set, tag::frames(), VR::IS, "2"); });
  EXPECT_THAT(error_of([&] { open(series / "slice_0001.dcm"); }), HasSubstr("multi-frame"));
  change(series / "slice_0002.dcm",
         [](gdcm::DataSet& set) { formats::set_binary(set, tag::samples_per_pixel(), 3); });
  EXPECT_THAT(error_of([&] { open(series / "slice_0002.dcm"); }), HasSubstr("colour"));
}

TEST_F(ScannerSeries, OverlaysInUnusedBitsAreNotPixels) {
  change(series / "slice_0001.dcm", [&](gdcm::DataSet& set) {
    const gdcm::ByteValue* bytes = set.GetDataElement(tag::pixel_data()).GetByteValue();
    std::string pixels(bytes->GetPointer(), bytes->GetLength());
    pixels[1] = static_cast<char>(pixels[1] | 0x10);  // bit 12 of the first pixel, above the stored 12
    formats::set_text(set, tag::pixel_data(), VR::OW, pixels);
  });
  EXPECT_TRUE(at::equal(load(series), values - 1024));
}

// Rewrites a slice in another transfer syntax.
void encode_as(const fs::path& path, gdcm::TransferSyntax::TSType syntax) {
  gdcm::ImageReader reader;
  reader.SetFileName(path.c_str());
  ASSERT_TRUE(reader.Read());
  gdcm::ImageChangeTransferSyntax change_syntax;
  change_syntax.SetTransferSyntax(gdcm::TransferSyntax(syntax));
  change_syntax.SetInput(reader.GetImage());
  ASSERT_TRUE(change_syntax.Change());
  gdcm::ImageWriter writer;
  writer.SetFile(reader.GetFile());
  writer.SetImage(change_syntax.GetOutput());
  writer.SetFileName(path.c_str());
  ASSERT_TRUE(writer.Write());
}

TEST_F(ScannerSeries, InOtherTransferSyntaxesReadsAlikeAndIsWrittenExplicit) {
  using gdcm::TransferSyntax;
  for (const auto syntax : {TransferSyntax::ImplicitVRLittleEndian, TransferSyntax::ExplicitVRBigEndian,
                            TransferSyntax::RLELossless, TransferSyntax::JPEGLosslessProcess14_1,
                            TransferSyntax::JPEGLSLossless, TransferSyntax::JPEG2000Lossless}) {
    write_series();
    for (const fs::path& path : slices(series)) encode_as(path, syntax);
    const auto source = open(series);
    EXPECT_TRUE(at::equal(source->read(whole(info)), values - 1024)) << TransferSyntax::GetTSString(syntax);
    fs::remove_all(folder / "out");
    save(folder / "out", source->info(), values - 1000, {"Enhanced"});
    EXPECT_TRUE(at::equal(load(folder / "out"), values - 1000)) << TransferSyntax::GetTSString(syntax);
    gdcm::Reader reader;
    reader.SetFileName((folder / "out/slice_0001.dcm").c_str());
    ASSERT_TRUE(reader.Read());
    EXPECT_EQ(reader.GetFile().GetHeader().GetDataSetTransferSyntax(),
              TransferSyntax::ExplicitVRLittleEndian);
    EXPECT_EQ(reader.GetFile().GetDataSet().GetDataElement(gdcm::Tag(0x0010, 0x0020)).GetVR(), VR(VR::LO));
  }
}

TEST_F(ScannerSeries, CompressedAndCutAnywhereIsAnError) {
  const fs::path slice = series / "slice_0001.dcm";
  encode_as(slice, gdcm::TransferSyntax::RLELossless);
  const std::string bytes = read_file(slice);
  for (size_t i = 0; i < 20; ++i) {  // the last cut takes the end of the fragments, 8 bytes, only
    write_file(folder / "cut.dcm", bytes.substr(0, i < 19 ? bytes.size() * i / 19 : bytes.size() - 8));
    EXPECT_THROW(load(folder / "cut.dcm"), Error) << i;
  }
}

TEST_F(ScannerSeries, CompressedImageOfAnotherSizeThanItsHeaderIsAnError) {
  const fs::path slice = series / "slice_0001.dcm";
  encode_as(slice, gdcm::TransferSyntax::JPEGLSLossless);
  change(slice, [](gdcm::DataSet& set) { formats::set_binary(set, tag::rows(), 80); });
  EXPECT_THAT(error_of([&] { load(slice); }), HasSubstr("not the one that its header describes"));
}

TEST_F(ScannerSeries, NamesInLatin1BecomeUtf8) {
  change(series / "slice_0001.dcm", [](gdcm::DataSet& set) {
    formats::set_text(set, {0x0008, 0x0005}, VR::CS, "ISO_IR 100");
    formats::set_text(set, {0x0010, 0x0010}, VR::PN, "M\xFCller");
  });
  EXPECT_EQ(open(series)->info().header.at("PatientName"), "Müller");
}

TEST_F(ScannerSeries, WithASliceMissingSaysSoAndKeepsItsSpacing) {
  info.shape[0] = 5;
  info.spacing_mm[2] = 2.5;
  values = counting(info, 0, 0.5);
  write_series();
  EXPECT_FALSE(open(series)->info().header.contains("SliceGaps"));
  fs::remove(series / "slice_0003.dcm");
  EXPECT_NEAR(open(series)->info().spacing_mm[2], 2.5, 1e-9);
  EXPECT_EQ(open(series)->info().header.at("SliceGaps"), "irregular, 2.5 to 5 mm");
}

TEST_F(ScannerSeries, WithoutPreambleIsStillDicom) {
  const std::string bytes = read_file(series / "slice_0001.dcm");
  write_file(folder / "bare", bytes.substr(132));
  EXPECT_EQ(open(folder / "bare")->info().format, "DICOM");
}

TEST(Dicom, MadeFromOtherFormatsIsACtSeries) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  save(folder / "series", info, counting(info));
  const auto source = open(folder / "series");
  EXPECT_EQ(source->info().units, Units::HU);
  EXPECT_EQ(source->info().scalar, Scalar::Int16);
  EXPECT_EQ(source->info().header.at("Modality"), "CT");
  EXPECT_TRUE(at::equal(source->read(whole(info)), counting(info)));
  expect_same_geometry(source->info(), info, 1e-9);
}

TEST(Dicom, MadeFromFractionsSpreadsThemOverAllBits) {
  const TemporaryFolder folder;
  ImageInfo info;
  info.shape = {2, 3, 4};
  const at::Tensor values = counting(info, 0.1, 0.013);  // 0.1 .. 0.399
  save(folder / "series", info, values);
  const auto source = open(folder / "series");
  EXPECT_EQ(source->info().header.at("Modality"), "OT");
  // rounding to one of 65536 numbers errs by half a step at most; and float32 by 3e-8
  const double step = 0.299 / 65535;
  EXPECT_LT((source->read(whole(info)) - values).abs().max().item<double>(), 0.5 * step + 6e-8);
}

TEST(Dicom, OneSliceMayBeOneFile) {
  const TemporaryFolder folder;
  ImageInfo info = oblique_ct();
  EXPECT_THAT(error_of([&] { create(folder / "a.dcm", info); }), HasSubstr("names one slice"));
  info.shape[0] = 1;
  save(folder / "a.dcm", info, counting(info));
  EXPECT_TRUE(at::equal(load(folder / "a.dcm"), counting(info)));
}

TEST(Dicom, IsWrittenOverWhatIsThereOnRequestOnly) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  create_folder(folder / "series");
  write_file(folder / "series/kept", "precious");
  EXPECT_THAT(error_of([&] { create(folder / "series", info); }), HasSubstr("is not empty"));
  {
    const auto given_up = create(folder / "series", info, {}, Existing::Replace);
    given_up->write(slice(info, 0), counting(info).narrow(0, 0, 1));
  }
  EXPECT_EQ(read_file(folder / "series/kept"), "precious");
  const auto sink = create(folder / "series", info, {}, Existing::Replace);
  sink->write(whole(info), counting(info));
  sink->commit();
  EXPECT_TRUE(at::equal(load(folder / "series"), counting(info)));
  EXPECT_FALSE(fs::exists(folder / "series/kept"));
}

TEST(Dicom, CtWithoutPaddingTagTakesCornersBelowAnyTissueForPadding) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  at::Tensor values = counting(info);
  save(folder / "air", info, values);
  EXPECT_EQ(open(folder / "air")->info().padding, std::nullopt);  // -1024 HU is air
  values[0][0][0] = -2048;
  save(folder / "padded", info, values);
  EXPECT_EQ(open(folder / "padded")->info().padding, -2048.0);
}

TEST(RealScans, ChestSlicesOpenAloneAndTogether) {
  const fs::path scans = fs::path(LUCIVOX_SCANS) / "chest-ct";
  if (!fs::exists(scans)) GTEST_SKIP() << scans << " is not here";
  const auto series = open(scans);
  EXPECT_EQ(series->info().shape, (std::array<int64_t, 3>{2, 512, 512}));
  EXPECT_EQ(series->info().spacing_mm, (std::array<double, 3>{0.625, 0.625, 1}));
  EXPECT_EQ(series->info().padding, -2048.0);
  EXPECT_EQ(series->info().units, Units::HU);
  const at::Tensor first = load(scans / "tests_testdata_0.dcm");
  EXPECT_TRUE(at::equal(series->read(slice(series->info(), 0)), first));
  EXPECT_EQ(first.min().item<float>(), -2048);  // as pydicom reads it
  EXPECT_EQ(first.max().item<float>(), 1502);
}

TEST(RealScans, HeadSeriesSurvivesEnhancement) {
  const fs::path scans = fs::path(LUCIVOX_SCANS) / "head-ct";
  if (!fs::exists(scans)) GTEST_SKIP() << scans << " is not here";
  const auto source = open(scans);
  const ImageInfo& info = source->info();
  EXPECT_EQ(info.shape, (std::array<int64_t, 3>{24, 512, 512}));
  EXPECT_EQ(info.origin_mm, (std::array<double, 3>{-115.5, -1.85, 754.21}));
  EXPECT_NEAR(info.spacing_mm[2], 1, 1e-9);
  EXPECT_EQ(info.header.at("ConvolutionKernel"), "UB");
  const at::Tensor values = source->read(whole(info));
  EXPECT_EQ(values.min().item<float>(), -1024);
  const TemporaryFolder folder;
  save(folder / "out", info, values, {"Enhanced"});
  const auto back = open(folder / "out");
  EXPECT_TRUE(at::equal(back->read(whole(info)), values));
  expect_same_geometry(back->info(), info, 0);
  EXPECT_EQ(back->info().header.at("SeriesNumber"), "1202");
}

}  // namespace
}  // namespace lucivox::testing
