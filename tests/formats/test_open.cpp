#include <gmock/gmock.h>
#include <tests/formats/images.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/open.h>

namespace fs = std::filesystem;
using ::testing::HasSubstr;

namespace lucivox::testing {
namespace {

TEST(Open, NamesWhatIsWrongWithTheRequest) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of([&] { open(folder / "no.nii"); }), HasSubstr("does not exist"));
  write_file(folder / "notes.txt", "no image at all");
  EXPECT_THAT(error_of([&] { open(folder / "notes.txt"); }), HasSubstr("not an image"));
  EXPECT_THAT(error_of([&] { open(folder.path()); }), HasSubstr("holds no images"));
  for (const char* name : {"a.dcm", "a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.tif", "a.h5", "a.png"}) {
    write_file(folder / name, "");
    EXPECT_THAT(error_of([&] { open(folder / name); }), HasSubstr("empty"));
    write_file(folder / name, std::string(1000, 'x'));
    EXPECT_THAT(error_of([&] { open(folder / name); }), HasSubstr("not an image"));
  }
}

TEST(Open, GoesByContentNotByName) {
  const TemporaryFolder folder;
  ImageInfo info;
  info.shape = {1, 2, 2};
  info.scalar = Scalar::UInt8;
  const at::Tensor values = counting(info, 0);
  save(folder / "a.tif", info, values);
  fs::rename(folder / "a.tif", folder / "a.dcm");
  EXPECT_EQ(open(folder / "a.dcm")->info().format, "TIFF");
}

TEST(Create, NamesTheNearestKnownKind) {
  const TemporaryFolder folder;
  const ImageInfo info;
  try {
    create(folder / "a.niii", info);
    FAIL() << "an unknown kind was created";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), 2);
    EXPECT_THAT(error.hint(), HasSubstr("did you mean .nii?"));
    EXPECT_THAT(error.hint(), HasSubstr(".hdf5"));
  }
}

TEST(Create, LeavesNothingWithoutCommitAndRefusesToCommitAPart) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  for (const char* name : {"a.nii.gz", "a.nrrd", "a.mha", "a.tif", "a.h5", "series"}) {
    const auto sink = create(folder / name, info);
    sink->write(slice(info, 1), counting(info).narrow(0, 1, 1));
    EXPECT_THROW(sink->commit(), Error) << name;  // 1 of 3 slices
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(Create, TakesSlicesInAnyOrder) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  for (const char* name : {"a.nii.gz", "a.nrrd", "a.mha", "a.tif", "a.h5", "series"}) {
    const auto sink = create(folder / name, info);
    for (const int64_t z : {2, 0, 1}) sink->write(slice(info, z), counting(info).narrow(0, z, 1));
    sink->commit();
    EXPECT_TRUE(at::equal(load(folder / name), counting(info))) << name;
  }
}

TEST(Create, RefusesValuesThatAreNotNumbers) {
  const TemporaryFolder folder;
  const ImageInfo info = oblique_ct();
  at::Tensor values = counting(info);
  values[1][2][3] = std::numeric_limits<float>::quiet_NaN();
  const auto sink = create(folder / "a.tif", info);
  EXPECT_THAT(error_of([&] { sink->write(whole(info), values); }), HasSubstr("[1, 2, 3]"));
}

TEST(Create, NeverReplacesAFolderByAFile) {
  const TemporaryFolder folder;
  create_folder(folder / "a.tif");
  write_file(folder / "a.tif/kept", "precious");
  EXPECT_THAT(error_of([&] { create(folder / "a.tif", oblique_ct()); }), HasSubstr("is a folder"));
  EXPECT_THAT(error_of([&] { create(folder / "missing/a.tif", oblique_ct()); }), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace lucivox::testing
