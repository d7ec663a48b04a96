#include <gtest/gtest.h>
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
