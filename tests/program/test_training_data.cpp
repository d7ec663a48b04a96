#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/program/training_data.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class TrainingData : public ::testing::Test {
 protected:
  // s1 to s12, each of the value that its name counts.
  void SetUp() override {
    for (const char* part : {"HQ", "LQ"}) {
      fs::create_directories(folder_ / part);
      for (int64_t i = 1; i <= 12; ++i)
        write_image(folder_ / part / fmt::format("s{}.tif", i),
                    torch::full({1, 16, 16}, static_cast<double>(i)));
    }
  }
  std::unique_ptr<PairedSlices> opened() const { return open_pairs(folder_.path().string(), silence()); }
  std::string error() const {
    try {
      opened();
    } catch (const Error& failure) {
      return failure.what();
    }
    return "";
  }

  TemporaryFolder folder_;
};

// TomoGAN learns from neighbours: s2 must follow s1, not s10.
TEST_F(TrainingData, IsInNaturalOrder) {
  const auto pairs = opened();
  ASSERT_EQ(pairs->count(), 12);
  EXPECT_EQ(pairs->stack_of(5).count, 12);
  for (int64_t i = 0; i < 12; ++i) {
    EXPECT_EQ(pairs->read(i).low.mean().item<double>(), static_cast<double>(i + 1));
    EXPECT_EQ(pairs->read(i).full.mean().item<double>(), static_cast<double>(i + 1));
  }
}

TEST_F(TrainingData, LeavesOutStrays) {
  write_file(folder_ / "HQ/notes.txt", "full dose");
  write_file(folder_ / "LQ/Thumbs.db", "pictures");
  write_image(folder_ / "LQ/overview.png", torch::zeros({1, 16, 16}), Scalar::UInt8);
  EXPECT_EQ(opened()->count(), 12);
}

TEST_F(TrainingData, MustHavePartnersByName) {
  fs::rename(folder_ / "LQ/s10.tif", folder_ / "LQ/s010.tif");
  EXPECT_NE(error().find("LQ have no partner in"), std::string::npos) << error();
  EXPECT_NE(error().find("the first is s010.tif"), std::string::npos) << error();
  fs::remove(folder_ / "LQ/s010.tif");
  EXPECT_NE(error().find("1 of 12 images in"), std::string::npos) << error();
  EXPECT_NE(error().find("the first is s10.tif"), std::string::npos) << error();
}

}  // namespace
}  // namespace lucivox
