#include <tests/formats/images.h>

#include <lucivox/base/files.h>
#include <lucivox/base/random.h>

namespace fs = std::filesystem;

namespace lucivox::testing {
namespace {

// Smooth numbers that compress, so that a cut leaves a decoder with too little rather than with garbage.
void write_sample(const fs::path& path) {
  ImageInfo info;
  info.shape = {path.extension() == ".dcm" || path.extension() == ".png" ? 1 : 3, 40, 30};
  info.scalar = path.extension() == ".png" ? Scalar::UInt16 : Scalar::Int16;
  info.spacing_mm = {0.5, 0.5, 2};
  info.spacing_known = true;
  info.units = path.extension() == ".png" ? Units::Unknown : Units::HU;
  save(path, info, counting(info, 0, 3));
}

const std::vector<const char*>& samples() {
  static const std::vector<const char*> all = {"a.dcm", "a.nii", "a.nii.gz", "a.nrrd",
                                               "a.mha", "a.png", "a.tif",    "a.h5"};
  return all;
}

// What a program does with a file that it is given: all of it, or an Error.
bool reads(const fs::path& path) {
  try {
    const auto source = open(path);
    source->read(whole(source->info()));
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(Damage, CutInHalfIsAnErrorInEveryFormat) {
  const TemporaryFolder folder;
  for (const char* name : samples()) {
    write_sample(folder / name);
    ASSERT_TRUE(reads(folder / name)) << name;
    fs::resize_file(folder / name, fs::file_size(folder / name) / 2);
    EXPECT_FALSE(reads(folder / name)) << name;
  }
}

TEST(Damage, CutAnywhereIsAnErrorOrTheWholeImage) {
  const TemporaryFolder folder;
  for (const char* name : samples()) {
    write_sample(folder / name);
    const at::Tensor truth = load(folder / name);
    const std::string bytes = read_file(folder / name);
    for (size_t i = 0; i < 40; ++i) {
      const size_t kept = bytes.size() * i / 40;
      write_file(folder / name, bytes.substr(0, kept));
      if (!reads(folder / name)) continue;
      EXPECT_TRUE(at::equal(load(folder / name), truth))
          << name << ", " << kept << " of " << bytes.size() << " bytes";
    }
  }
}

TEST(Damage, ChangedBytesNeverCrash) {
  const TemporaryFolder folder;
  Random random(7);
  for (const char* name : samples()) {
    write_sample(folder / name);
    const std::string bytes = read_file(folder / name);
    for (int i = 0; i < 200; ++i) {
      std::string changed = bytes;
      // half of the changes in the first bytes, where the headers are
      const int64_t reach = i % 2 == 0 ? static_cast<int64_t>(bytes.size())
                                       : std::min<int64_t>(500, static_cast<int64_t>(bytes.size()));
      changed[static_cast<size_t>(random.integer(reach))] = static_cast<char>(random.integer(256));
      write_file(folder / name, changed);
      reads(folder / name);
    }
  }
}

}  // namespace
}  // namespace lucivox::testing
