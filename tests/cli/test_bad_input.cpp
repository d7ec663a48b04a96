// Whatever a user gives: one clear error with a hint, exit code 1 or 2, nothing half-written.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/torch.h>

#include <lucivox/base/files.h>
#include <lucivox/nn/ddnet.h>
#include <lucivox/nn/model.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    save_model(model(), {Network(ddnet({.growth = 2}), 1), {}, "m", {}, "0"});
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

  void cut(const fs::path& path) const {
    const std::string bytes = read_file(path);
    write_file(path, bytes.substr(0, bytes.size() / 2));
  }

  TemporaryFolder folder_;
};

TEST_F(BadInput, MissingImage) {
  expect_enhance_fails(folder_ / "none.tif", "none.tif");
}

TEST_F(BadInput, EmptyFolder) {
  fs::create_directory(folder_ / "empty");
  expect_enhance_fails(folder_ / "empty", "empty", "series");
}

TEST_F(BadInput, TruncatedFiles) {
  const at::Tensor values = torch::randn({2, 40, 40}) * 100;
  for (const char* name : {"a.tif", "a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.h5"}) {
    write_image(folder_ / name, values);
    cut(folder_ / name);
    expect_enhance_fails(folder_ / name, name, fmt::format("out{}", std::string(name).substr(1)));
  }
}

TEST_F(BadInput, TruncatedDicom) {
  write_image(folder_ / "series", torch::randn({2, 40, 40}) * 100);
  cut(fs::directory_iterator(folder_ / "series")->path());
  expect_enhance_fails(folder_ / "series", "series", "out");
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
  expect_enhance_fails(folder_ / "mixed", "series", "out");
}

TEST_F(BadInput, TextCalledAnImage) {
  for (const char* name : {"a.tif", "a.dcm", "a.nii", "a.png", "a.h5", "a.nrrd"}) {
    write_file(folder_ / name, "this is no image\n");
    expect_enhance_fails(folder_ / name, name);
  }
}

TEST_F(BadInput, NanPixels) {
  at::Tensor values = torch::zeros({1, 32, 32});
  values[0][4][5] = NAN;
  ImageInfo info;
  info.shape = {1, 32, 32};
  const std::string name = "nan.h5";
  // the sinks refuse NaN, so it is patched into the file: -1e30 is written, its bytes become those of a NaN
  values[0][4][5] = -1e30F;
  write_image(folder_ / name, values);
  std::string bytes = read_file(folder_ / name);
  const float marker = -1e30F, nan = NAN;
  const size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&marker), sizeof marker));
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, sizeof nan, reinterpret_cast<const char*>(&nan), sizeof nan);
  write_file(folder_ / name, bytes);
  expect_enhance_fails(folder_ / name, "nan.h5", "out.h5");
}

TEST_F(BadInput, ColourImage) {
  // a PNG of one red pixel
  const unsigned char red[] = {
      0x89, 'P',  'N',  'G', '\r', '\n', 0x1a, '\n', 0,    0,    0,    13,   'I',  'H',  'D',  'R', 0, 0,
      0,    1,    0,    0,   0,    1,    8,    2,    0,    0,    0,    0x90, 0x77, 0x53, 0xde, 0,   0, 0,
      12,   'I',  'D',  'A', 'T',  0x08, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0,    0,    3,    1,    1,   0, 0x18,
      0xdd, 0x8d, 0xb0, 0,   0,    0,    0,    'I',  'E',  'N',  'D',  0xae, 0x42, 0x60, 0x82};
  write_file(folder_ / "red.png", std::string(reinterpret_cast<const char*>(red), sizeof red));
  expect_enhance_fails(folder_ / "red.png", "colour", "out.png");
}

TEST_F(BadInput, ModelsThatAreNone) {
  const fs::path image = folder_ / "data/LQ/0.tif", out = folder_ / "out.tif";
  write_file(folder_ / "text.safetensors", "no model");
  fs::copy(model(), folder_ / "cut.safetensors");
  cut(folder_ / "cut.safetensors");
  for (const char* name : {"none.safetensors", "text.safetensors", "cut.safetensors"}) {
    const Outcome outcome = run_command({"enhance", (folder_ / name).string(), image.string(), out.string()});
    EXPECT_TRUE(is_clear_error(outcome)) << name << ": " << outcome.error;
  }
  const Outcome import = run_command({"import", image.string(), (folder_ / "m.safetensors").string()});
  EXPECT_TRUE(is_clear_error(import)) << import.error;
  EXPECT_FALSE(fs::exists(folder_ / "m.safetensors"));
}

TEST_F(BadInput, MissingTrainingData) {
  expect_train_fails({"data.train=" + (folder_ / "none").string()}, "none");
}

TEST_F(BadInput, NamesThatDiffer) {
  fs::rename(folder_ / "data/LQ/1.tif", folder_ / "data/LQ/one.tif");
  expect_train_fails({}, "one.tif");
}

TEST_F(BadInput, CountsThatDiffer) {
  fs::remove(folder_ / "data/LQ/1.tif");
  expect_train_fails({}, "1.tif");
}

TEST_F(BadInput, SizesThatDiffer) {
  write_image(folder_ / "data/LQ/1.tif", torch::zeros({1, 48, 48}));
  expect_train_fails({}, "48");
}

TEST_F(BadInput, NoHqFolder) {
  fs::remove_all(folder_ / "data/HQ");
  expect_train_fails({}, "HQ");
}

TEST_F(BadInput, UnknownAndImpossibleSettings) {
  expect_train_fails({"train.epoch=3"}, "epochs");
  expect_train_fails({"train.epochs=0"}, "epochs");
  expect_train_fails({"train.crop=33"}, "crop");
  expect_train_fails({"network.growth=-1"}, "growth");
  expect_train_fails({"intensity.high=-2000"}, "window");
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
    EXPECT_TRUE(fs::is_empty(disk)) << name;
  }
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace lucivox
