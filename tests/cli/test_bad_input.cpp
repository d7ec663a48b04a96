// Whatever a user gives: one clear error with a hint, exit code 1 or 2, nothing half-written.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/networks/ddnet.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    save_model(model(), {Weights(ddnet({.growth = 2}), 1), {}, "m", {}, "0"});
    write_pairs(folder_ / "data", 2, 32);
  }

  fs::path model() const { return folder_ / "model.safetensors"; }

  void expect_enhance_fails(const fs::path& in, const std::string& says,
                            const std::string& out = "out.tif") const {
    const Outcome outcome = run_command({"enhance", model().string(), in.string(), (folder_ / out).string()});
    EXPECT_TRUE(is_clear_error(outcome)) << in << ": " << outcome.code << " " << outcome.error;
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
    EXPECT_FALSE(fs::exists(folder_ / out));
    for (const auto& entry : fs::directory_iterator(folder_.path())) {
      EXPECT_EQ(entry.path().string().find(".partial"), std::string::npos) << entry.path();
    }
  }

  void expect_train_fails(const std::vector<std::string>& settings, const std::string& says) const {
    std::vector<std::string> arguments{"train", "ddnet",
                                       "--run", (folder_ / "run").string(),
                                       "--set", "data.train=" + (folder_ / "data").string()};
    for (const std::string& setting : settings) arguments.insert(arguments.end(), {"--set", setting});
    const Outcome outcome = run_command(arguments);
    EXPECT_TRUE(is_clear_error(outcome)) << outcome.code << " " << outcome.error;
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
    EXPECT_FALSE(fs::exists(folder_ / "run/model.safetensors"));
  }

  // One NaN among zeros. The sinks refuse it, so another number's bytes become its.
  static void write_nan(const fs::path& path) {
    const float marker = -1e30F, nan = NAN;
    at::Tensor values = torch::zeros({1, 32, 32});
    values[0][4][5] = marker;
    write_image(path, values);
    std::string bytes = read_file(path);
    const size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&marker), sizeof marker));
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, sizeof nan, reinterpret_cast<const char*>(&nan), sizeof nan);
    write_file(path, bytes);
  }

  void cut(const fs::path& path) const {
    const std::string bytes = read_file(path);
    write_file(path, bytes.substr(0, bytes.size() / 2));
  }

  TemporaryFolder folder_;
};

TEST_F(BadInput, MissingImage) {
  expect_enhance_fails(folder_ / "none.tif", "does not exist");
}

TEST_F(BadInput, EmptyFolder) {
  fs::create_directory(folder_ / "hollow");
  expect_enhance_fails(folder_ / "hollow", "is empty", "series");
}

TEST_F(BadInput, TruncatedFiles) {
  const at::Tensor values = torch::randn({2, 40, 40}) * 100;
  const std::vector<std::pair<std::string, std::string>> kinds{
      {".tif", "page 1 is truncated or damaged"},
      {".nii", "its header promises [2, 40, 40] voxels of float32"},
      {".nii.gz", "it is truncated"},
      {".nrrd", "it is no whole NRRD file"},
      {".mha", "it is truncated"},
      {".h5", "it is no whole HDF5 file"}};
  for (const auto& [kind, says] : kinds) {
    write_image(folder_ / ("a" + kind), values);
    cut(folder_ / ("a" + kind));
    expect_enhance_fails(folder_ / ("a" + kind), says, "out" + kind);
  }
}

TEST_F(BadInput, TruncatedDicom) {
  write_image(folder_ / "series", torch::randn({2, 40, 40}) * 100);
  cut(fs::directory_iterator(folder_ / "series")->path());
  expect_enhance_fails(folder_ / "series", "reaches beyond its end", "out");
}

TEST_F(BadInput, MixedSeries) {
  write_image(folder_ / "a", torch::zeros({2, 32, 32}));
  write_image(folder_ / "b", torch::zeros({2, 32, 32}));
  fs::create_directory(folder_ / "mixed");
  for (const char* series : {"a", "b"}) {
    for (const auto& entry : fs::directory_iterator(folder_ / series)) {
      fs::copy(entry.path(), folder_ / "mixed" / (series + entry.path().filename().string()));
    }
  }
  expect_enhance_fails(folder_ / "mixed", "holds 2 DICOM series", "out");
}

TEST_F(BadInput, TextCalledAnImage) {
  for (const char* name : {"a.tif", "a.dcm", "a.nii", "a.png", "a.h5", "a.nrrd"}) {
    write_file(folder_ / name, "this is no image\n");
    expect_enhance_fails(folder_ / name, "is not an image that lucivox can read");
  }
}

TEST_F(BadInput, NanPixels) {
  write_nan(folder_ / "pixels.h5");
  expect_enhance_fails(folder_ / "pixels.h5", "1 NaN or infinite values, the first at [0, 4, 5]", "out.h5");
}

TEST_F(BadInput, NanPixelsToLearnFrom) {
  fs::remove_all(folder_ / "data");
  for (const char* part : {"HQ", "LQ"}) fs::create_directories(folder_ / "data" / part);
  write_image(folder_ / "data/HQ/2.h5", torch::zeros({1, 32, 32}));
  write_nan(folder_ / "data/LQ/2.h5");
  expect_train_fails({"network.growth=2", "train.batch=1"}, "1 NaN or infinite values, the first at [4, 5]");
}

TEST_F(BadInput, ColourImage) {
  // a PNG of one red pixel
  const unsigned char red[] = {
      0x89, 'P',  'N',  'G', '\r', '\n', 0x1a, '\n', 0,    0,    0,    13,   'I',  'H',  'D',  'R', 0, 0,
      0,    1,    0,    0,   0,    1,    8,    2,    0,    0,    0,    0x90, 0x77, 0x53, 0xde, 0,   0, 0,
      12,   'I',  'D',  'A', 'T',  0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0,    0,    3,    1,    1,   0, 0x18,
      0xdd, 0x8d, 0xb0, 0,   0,    0,    0,    'I',  'E',  'N',  'D',  0xae, 0x42, 0x60, 0x82};
  write_file(folder_ / "red.png", std::string(reinterpret_cast<const char*>(red), sizeof red));
  expect_enhance_fails(folder_ / "red.png", "is a colour image", "out.png");
}

TEST_F(BadInput, ModelsThatAreNone) {
  const fs::path image = folder_ / "data/LQ/0.tif", out = folder_ / "out.tif";
  write_file(folder_ / "text.safetensors", "no model");
  fs::copy(model(), folder_ / "cut.safetensors");
  cut(folder_ / "cut.safetensors");
  const std::vector<std::pair<std::string, std::string>> models{
      {"none.safetensors", "does not exist"},
      {"text.safetensors", "a header longer than the file"},
      {"cut.safetensors", "offsets that do not fit the file"}};
  for (const auto& [name, says] : models) {
    const Outcome outcome = run_command({"enhance", (folder_ / name).string(), image.string(), out.string()});
    EXPECT_TRUE(is_clear_error(outcome)) << name << ": " << outcome.error;
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
  }
  const Outcome import = run_command({"import", image.string(), (folder_ / "m.safetensors").string()});
  EXPECT_TRUE(is_clear_error(import)) << import.error;
  EXPECT_NE(import.error.find("is not a whole PyTorch file"), std::string::npos) << import.error;
  EXPECT_FALSE(fs::exists(folder_ / "m.safetensors"));
}

TEST_F(BadInput, MissingTrainingData) {
  expect_train_fails({"data.train=" + (folder_ / "none").string()}, "does not exist");
}

TEST_F(BadInput, NamesThatDiffer) {
  fs::rename(folder_ / "data/LQ/1.tif", folder_ / "data/LQ/one.tif");
  expect_train_fails({}, "have no partner");
}

TEST_F(BadInput, CountsThatDiffer) {
  fs::remove(folder_ / "data/LQ/1.tif");
  expect_train_fails({}, "have no partner");
}

TEST_F(BadInput, SizesThatDiffer) {
  write_image(folder_ / "data/LQ/1.tif", torch::zeros({1, 48, 48}));
  expect_train_fails({}, "has 1x48x48 pixels and");
}

TEST_F(BadInput, NoHqFolder) {
  fs::remove_all(folder_ / "data/HQ");
  expect_train_fails({}, "HQ does not exist");
}

TEST_F(BadInput, UnknownAndImpossibleSettings) {
  expect_train_fails({"train.epoch=3"}, "epochs");
  expect_train_fails({"train.epochs=0"}, "epochs");
  expect_train_fails({"train.crop=33"}, "crop");
  expect_train_fails({"network.growth=-1"}, "growth");
  expect_train_fails({"intensity.high=-2000"}, "window");
}

// Told before dense epochs are spent.
TEST_F(BadInput, PruningThatLeavesNothing) {
  expect_train_fails({"network.growth=2", "train.sparsity.criterion=filters-l1", "train.sparsity.amount=0.95",
                      "train.epochs=100000", "train.sparsity.dense_epochs=99999"},
                     "pruning 8 of 8 filters would leave nothing of");
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(BadInput, BrokenToml) {
  write_file(folder_ / "broken.toml", "[train\nepochs = 3\n");
  const Outcome outcome = run_command({"train", "ddnet", "--config", (folder_ / "broken.toml").string(),
                                       "--run", (folder_ / "run").string()});
  EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
  EXPECT_NE(outcome.error.find("line"), std::string::npos) << outcome.error;
}

TEST_F(BadInput, CorruptCheckpoint) {
  const std::vector<std::string> train{"train", "ddnet",
                                       "--run", (folder_ / "run").string(),
                                       "--set", "data.train=" + (folder_ / "data").string(),
                                       "--set", "train.epochs=1",
                                       "--set", "network.growth=2"};
  ASSERT_EQ(run_command(train).code, 0);
  cut(folder_ / "run/checkpoints/last.safetensors");
  const Outcome outcome = run_command({"train", "ddnet", "--resume", "--run", (folder_ / "run").string()});
  EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
  EXPECT_NE(outcome.error.find("is not a whole safetensors file"), std::string::npos) << outcome.error;
}

// A file system of 256 kB that fills up while the output is written.
TEST_F(BadInput, FullDisk) {
  const fs::path disk = folder_ / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=256k") != 0)
    GTEST_SKIP() << "may not mount a small file system here";
  write_image(folder_ / "big.nii", torch::randn({4, 256, 256}));
  write_image(folder_ / "big.tif", torch::randn({4, 256, 256}));
  write_image(folder_ / "big.h5", torch::randn({4, 256, 256}));
  write_image(folder_ / "big", torch::randn({4, 256, 256}));
  for (const char* name : {"big.nii", "big.tif", "big.h5", "big"}) {
    const Outcome outcome =
        run_command({"enhance", model().string(), (folder_ / name).string(), (disk / name).string()});
    EXPECT_TRUE(is_clear_error(outcome)) << name << ": " << outcome.code << " " << outcome.error;
    EXPECT_NE(outcome.error.find("No space left on device"), std::string::npos) << outcome.error;
    EXPECT_TRUE(fs::is_empty(disk)) << name;
  }
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace lucivox
