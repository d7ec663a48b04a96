// What a folder holds: its kind, its images in natural order, and what is left out.
#include <gmock/gmock.h>
#include <tests/formats/images.h>
#include <unistd.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/folder.h>

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace lucivox::testing {
namespace {

using formats::Kind;

class Folder : public ::testing::Test {
 protected:
  void save_slice(const std::string& name) const {
    ImageInfo info;
    info.shape = {1, 2, 2};
    info.scalar = Scalar::UInt8;
    save(folder_ / name, info, counting(info, 0));
  }
  void save_slices(const std::vector<std::string>& names) const {
    for (const std::string& name : names) save_slice(name);
  }
  // A DICOM series of three slices, slice_0001.dcm to slice_0003.dcm.
  void save_series(const std::string& name) const {
    save(folder_ / name, oblique_ct(), counting(oblique_ct()));
  }

  static std::vector<std::string> names(const std::vector<fs::path>& paths) {
    std::vector<std::string> all;
    for (const fs::path& path : paths) all.push_back(path.filename().string());
    return all;
  }
  ImageFolder read() const { return image_folder(folder_.path()); }

  TemporaryFolder folder_;
};

TEST_F(Folder, HasItsImagesInNaturalOrder) {
  save_slices({"s10.tif", "s2.tif", "s1.tif", "s01.tif", "s9.TIF.tif", "t.tif"});
  for (int again = 0; again < 2; ++again)
    EXPECT_THAT(names(read().images),
                ElementsAre("s01.tif", "s1.tif", "s2.tif", "s9.TIF.tif", "s10.tif", "t.tif"));
}

TEST_F(Folder, IsOfTheKindThatMostOfItsImagesAre) {
  save_slices({"a.tif", "b.tif", "c.tif", "d.png", "e.png"});
  write_file(folder_ / "notes.txt", "no image");
  write_file(folder_ / "Thumbs.db", "\xD0\xCF\x11\xE0");
  write_file(folder_ / ".hidden", "");
  fs::create_directory(folder_ / "empty");
  const ImageFolder folder = read();
  EXPECT_EQ(folder.kind, Kind::Tiff);
  EXPECT_FALSE(folder.is_series());
  EXPECT_THAT(names(folder.images), ElementsAre("a.tif", "b.tif", "c.tif"));
  EXPECT_THAT(names(folder.strays), ElementsAre("Thumbs.db", "d.png", "e.png", "empty", "notes.txt"));
  const std::string line = describe_strays(folder);
  EXPECT_THAT(line, HasSubstr("5 of 8"));
  EXPECT_THAT(line, HasSubstr("TIFF: Thumbs.db, d.png, e.png, ..."));
}

TEST_F(Folder, LeavesOutWhatNobodyMayRead) {
  save_slices({"a.tif", "b.tif"});
  write_file(folder_ / "notes.txt", "private");
  fs::create_directory(folder_ / "lost+found");
  for (const char* name : {"notes.txt", "lost+found"}) fs::permissions(folder_ / name, fs::perms::none);
  if (::access((folder_ / "notes.txt").c_str(), R_OK) == 0) GTEST_SKIP() << "root may read everything";
  EXPECT_THAT(names(read().strays), ElementsAre("lost+found", "notes.txt"));
}

TEST_F(Folder, GoesByContentNotByName) {
  save_slices({"a.tif", "b.tif", "c.png"});
  fs::rename(folder_ / "a.tif", folder_ / "a");
  fs::rename(folder_ / "b.tif", folder_ / "b.dat");
  EXPECT_THAT(names(read().images), ElementsAre("a", "b.dat"));
}

TEST_F(Folder, OfDicomLeavesOutATiff) {
  save_series("series");
  save_slice("series/a.tif");
  write_file(folder_ / "series/DICOMDIR", read_file(folder_ / "series/slice_0001.dcm"));
  const ImageFolder folder = image_folder(folder_ / "series");
  EXPECT_TRUE(folder.is_series());
  EXPECT_THAT(names(folder.strays), ElementsAre("DICOMDIR", "a.tif"));
  EXPECT_EQ(open(folder_ / "series")->info().shape, oblique_ct().shape);
}

TEST_F(Folder, MayHoldSeriesInFoldersOfTheirOwn) {
  save_series("case10");
  save_series("case9");
  fs::create_directory(folder_ / "tiffs");
  save_slice("tiffs/a.tif");
  save_slice("stray.tif");
  const ImageFolder folder = read();
  EXPECT_EQ(folder.kind, Kind::DicomSeries);
  EXPECT_FALSE(folder.is_series());
  EXPECT_THAT(names(folder.images), ElementsAre("case9", "case10"));
  EXPECT_THAT(names(folder.strays), ElementsAre("stray.tif", "tiffs"));
}

TEST_F(Folder, LeavesOutNoVoxelsThatAHeaderNames) {
  for (const char* name : {"a", "b"}) {
    save_slice(std::string(name) + ".mha");
    std::string text = read_file(folder_ / (std::string(name) + ".mha"));
    const size_t local = text.find("LOCAL\n");
    ASSERT_NE(local, std::string::npos);
    write_file(folder_ / (std::string(name) + ".raw"), text.substr(local + 6));
    write_file(folder_ / (std::string(name) + ".mhd"), text.substr(0, local) + name + ".raw\n");
    fs::remove(folder_ / (std::string(name) + ".mha"));
  }
  EXPECT_THAT(names(read().images), ElementsAre("a.mhd", "b.mhd"));
  EXPECT_TRUE(read().strays.empty());
  EXPECT_THAT(names(files_of_image(folder_ / "a.mhd")), ElementsAre("a.mhd", "a.raw"));
}

// A slice that is lost must not close the gap between its neighbours unnoticed.
TEST_F(Folder, RefusesAFileThatIsNotTheImageItsNameSays) {
  save_slices({"1.tif", "2.tif", "3.tif"});
  write_file(folder_ / "2.tif", "");
  EXPECT_THAT(error_of([&] { read(); }), HasSubstr("2.tif"));
  fs::remove(folder_ / "2.tif");
  fs::create_symlink(folder_ / "gone.tif", folder_ / "2.tif");
  EXPECT_THAT(error_of([&] { read(); }), HasSubstr("2.tif"));
}

TEST_F(Folder, RefusesWhatHasNoKind) {
  EXPECT_THAT(error_of([&] { read(); }), HasSubstr("is empty"));
  write_file(folder_ / "notes.txt", "no image");
  write_file(folder_ / "broken.tif", "no image");
  EXPECT_THAT(error_of([&] { read(); }), HasSubstr("holds no images"));
  EXPECT_THAT(error_of([&] { image_folder(folder_ / "notes.txt"); }), HasSubstr("is not a folder"));
  EXPECT_THAT(error_of([&] { image_folder(folder_ / "none"); }), HasSubstr("does not exist"));
  fs::remove(folder_ / "broken.tif");
  save_slices({"a.tif", "b.png"});
  EXPECT_THAT(error_of([&] { read(); }), HasSubstr("as many PNG images as TIFF images"));
}

TEST_F(Folder, OfTiffsIsNotOneImage) {
  save_slice("a.tif");
  EXPECT_THAT(error_of([&] { open(folder_.path()); }), HasSubstr("holds TIFF images"));
}

}  // namespace
}  // namespace lucivox::testing
