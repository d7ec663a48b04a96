#include <iterator>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <tests/temporary_folder.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

TEST(PendingPath, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  {
    const PendingPath pending(folder / "out.nii.gz");
    append_file(pending.path(), "half");
    EXPECT_TRUE(pending.path().string().ends_with(".nii.gz"));
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(PendingPath, ReplacesFileAndFolderWhole) {
  const TemporaryFolder folder;
  write_file(folder / "out", "old");
  PendingPath file(folder / "out");
  append_file(file.path(), "new");
  EXPECT_EQ(read_file(folder / "out"), "old");
  file.commit();
  EXPECT_EQ(read_file(folder / "out"), "new");

  PendingPath series(folder / "series/");
  create_folder(series.path());
  append_file(series.path() / "1", "x");
  series.commit();
  EXPECT_EQ(read_file(folder / "series/1"), "x");
}

TEST(PendingPath, PutsNoFileInAFoldersPlace) {
  const TemporaryFolder folder;
  create_folder(folder / "kept");
  write_file(folder / "kept/x", "x");
  EXPECT_THROW(write_file(folder / "kept", "file"), Error);
  EXPECT_EQ(read_file(folder / "kept/x"), "x");
}

TEST(PendingPath, NeedsItsFolder) {
  const TemporaryFolder folder;
  EXPECT_THROW(PendingPath(folder / "none/out.tif"), Error);
}

// A mount point and somebody's working directory cannot be renamed over.
TEST(PendingPath, ReplacesWhatIsInAFolderAndKeepsTheFolder) {
  const TemporaryFolder folder;
  create_folder(folder / "series/old");
  write_file(folder / "series/old/1", "x");
  struct stat before {
  }, after{};
  ASSERT_EQ(::stat((folder / "series").c_str(), &before), 0);
  PendingPath series(folder / "series");
  create_folder(series.path());
  write_file(series.path() / "2", "y");
  EXPECT_TRUE(fs::exists(folder / "series/old/1"));
  series.commit();
  ASSERT_EQ(::stat((folder / "series").c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(read_file(folder / "series/2"), "y");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "series"), {}), 1);
}

void fill_then_throw(const fs::path& folder) {
  write_file(folder / "1", "new");
  throw Error("stopped");
}

TEST(WriteFolder, KeepsOldContentsUntilAllNewOnesAreThere) {
  const TemporaryFolder folder;
  const Output out{folder / "a/out", Existing::Replace};
  EXPECT_THROW(write_folder(out, fill_then_throw), Error);
  EXPECT_EQ(read_file(folder / "a/out/1"), "new") << "what is done stays in a new folder";
  write_file(folder / "a/out/1", "old");
  EXPECT_THROW(write_folder(out, fill_then_throw), Error);
  EXPECT_EQ(read_file(folder / "a/out/1"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "a/out"), {}), 1);
  write_folder(out, [](const fs::path& filled) { write_file(filled / "2", "new"); });
  EXPECT_EQ(read_file(folder / "a/out/2"), "new");
  EXPECT_FALSE(fs::exists(folder / "a/out/1"));
}

TEST(RequireVacant, RefusesFilesAndFoldersThatAreNotEmpty) {
  const TemporaryFolder folder;
  require_vacant({folder / "none"});
  create_folder(folder / "out");
  require_vacant({folder / "out"});
  write_file(folder / "out/1", "x");
  EXPECT_THROW(require_vacant({folder / "out"}), Error);
  require_vacant({folder / "out", Existing::Replace});
  EXPECT_THROW(require_vacant({folder / "out/1", Existing::Replace}), Error);
}

class RequireApart : public ::testing::Test {
 protected:
  void SetUp() override {
    create_folder(folder_ / "in/deep");
    create_folder(folder_ / "other");
    write_file(folder_ / "in/1.tif", "1");
    write_file(folder_ / "scan.h5", "scan");
  }

  // Whether it is refused: as misuse that names both paths, with a hint.
  bool refuses(const fs::path& output, const fs::path& input) const {
    try {
      require_apart(output, {folder_ / "other/none", input});
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), 2);
      EXPECT_NE(std::string(error.what()).find(output.string()), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(input.string()), std::string::npos) << error.what();
      EXPECT_NE(error.hint().find("another OUT"), std::string::npos) << error.hint();
      return true;
    }
    return false;
  }

  TemporaryFolder folder_;
};

TEST_F(RequireApart, KnowsAFileByAllItsNames) {
  fs::create_symlink(folder_ / "scan.h5", folder_ / "symbolic.h5");
  fs::create_hard_link(folder_ / "scan.h5", folder_ / "hard.h5");
  fs::create_directory_symlink(folder_.path(), folder_ / "other/up");
  for (const char* name : {"scan.h5", "./scan.h5", "in/../scan.h5", "symbolic.h5", "hard.h5",
                           "other/up/scan.h5", "scan.h5:/another/data_set", "symbolic.h5:/images"}) {
    EXPECT_TRUE(refuses(folder_ / name, folder_ / "scan.h5")) << name;
    EXPECT_TRUE(refuses(folder_ / "scan.h5", folder_ / name)) << name;
  }
  for (const char* name : {"scan2.h5", "other/scan.h5", "new.h5:/images", "scan.h5.slices.tif"})
    EXPECT_FALSE(refuses(folder_ / name, folder_ / "scan.h5")) << name;
}

TEST_F(RequireApart, RefusesAnOutputInsideAnInputFolder) {
  fs::create_directory_symlink(folder_ / "in/deep", folder_ / "link");
  fs::create_symlink(folder_ / "scan.h5", folder_ / "in/leads-out");
  for (const char* name : {"in", "in/", "in/1.tif", "in/new.tif", "in/new/folder", "in/deep/new", "link/new",
                           "in/leads-out", "in/new.h5:/images"})
    EXPECT_TRUE(refuses(folder_ / name, folder_ / "in")) << name;
  for (const char* name : {"in2", "in/../out", "in.tif", "other/in"})
    EXPECT_FALSE(refuses(folder_ / name, folder_ / "in")) << name;
}

TEST_F(RequireApart, RefusesAFolderWithAnInputInside) {
  fs::create_symlink(folder_ / "scan.h5", folder_ / "in/link.h5");
  EXPECT_TRUE(refuses(folder_ / "in", folder_ / "in/1.tif"));
  EXPECT_TRUE(refuses(folder_ / "in", folder_ / "in/deep"));
  EXPECT_TRUE(refuses(folder_ / "in", folder_ / "in/link.h5"));
  EXPECT_TRUE(refuses(folder_.path(), folder_ / "in"));
  EXPECT_FALSE(refuses(folder_ / "other", folder_ / "in"));
  // what is added to a folder leaves the inputs in it as they are
  require_outside(folder_.path(), {folder_ / "in"}, "hint");
  EXPECT_THROW(require_outside(folder_ / "in/run", {folder_ / "in"}, "hint"), Error);
}

// Folders of links into an archive are common.
TEST_F(RequireApart, FollowsTheLinksInAnInputFolder) {
  create_folder(folder_ / "links");
  fs::create_symlink(folder_ / "in/1.tif", folder_ / "links/1.tif");
  fs::create_directory_symlink(folder_ / "in/deep", folder_ / "links/series");
  fs::create_directory_symlink("..", folder_ / "links/up");
  const auto message = [&](const fs::path& output) -> std::string {
    try {
      require_apart(output, {folder_ / "links"});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(folder_ / "in").find("links/"), std::string::npos);
  EXPECT_NE(message(folder_ / "in/1.tif").find("links/1.tif"), std::string::npos);
  EXPECT_NE(message(folder_ / "in/deep/2").find("links/series"), std::string::npos);
  EXPECT_EQ(message(folder_ / "in/2.tif"), "");
  EXPECT_EQ(message(folder_ / "other/out"), "");
  // patients' folders of links
  create_folder(folder_ / "links/patient/series");
  fs::create_symlink(folder_ / "in/2.tif", folder_ / "links/patient/series/2.tif");
  write_file(folder_ / "in/2.tif", "2");
  EXPECT_NE(message(folder_ / "in/2.tif").find("patient/series/2.tif"), std::string::npos);
}

TEST(ReadFile, RefusesFoldersMissingAndLargeFiles) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_file(folder.path()), Error);
  EXPECT_THROW(read_file(folder / "none"), Error);
  write_file(folder / "ten", "0123456789");
  EXPECT_EQ(read_file(folder / "ten", 10), "0123456789");
  EXPECT_THROW(read_file(folder / "ten", 9), Error);
}

// /dev/full answers every write with "no space left on device".
TEST(AppendFile, TellsOfAFullDisk) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  try {
    append_file("/dev/full", "x");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("full"), std::string::npos) << error.hint();
  }
}

}  // namespace
}  // namespace lucivox
