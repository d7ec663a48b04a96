#include <array>
#include <cstring>
#include <limits>
#include <map>
#include <string>

#include <ATen/core/grad_mode.h>
#include <caffe2/serialize/inline_container.h>
#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/exec/network.h>
#include <lucivox/nn/import.h>
#include <lucivox/nn/pytorch_file.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

at::Tensor golden(const std::string& name) {
  for (const auto& [key, tensor] : read_safetensors(LUCIVOX_GOLDEN "/ddnet.safetensors").tensors) {
    if (key == name) return tensor;
  }
  throw Error("no golden " + name);
}

// ddnet.pt was written by torch.save; PyTorch's own output for it is in ddnet.safetensors.
TEST(ImportPytorch, ComputesWhatPytorchComputed) {
  Model model = import_pytorch(LUCIVOX_GOLDEN "/ddnet.pt");
  EXPECT_EQ(model.weights.graph().parameter_count(), 566'451);
  EXPECT_EQ(model.intensity.kind, IntensityMapping::Kind::SliceMinMax);
  const torch::NoGradGuard no_grad;
  const at::Tensor output =
      Network(std::move(model.weights)).forward(golden("input").to(at::kFloat), Mode::Evaluation);
  EXPECT_LT(relative_difference(output, golden("output_eval")), 1e-5);
}

TEST(ImportPytorch, RefusesEverythingElse) {
  const TemporaryFolder folder;
  write_file(folder / "text.pt", "not a zip archive");
  EXPECT_THROW(import_pytorch(folder / "text.pt"), Error);
  write_file(folder / "empty.pt", "");
  EXPECT_THROW(import_pytorch(folder / "empty.pt"), Error);
  EXPECT_THROW(import_pytorch(folder / "missing.pt"), Error);
  const std::string bytes = read_file(LUCIVOX_GOLDEN "/ddnet.pt");
  for (const size_t length : {bytes.size() / 4, bytes.size() / 2, bytes.size() - 10}) {
    write_file(folder / "cut.pt", bytes.substr(0, length));
    EXPECT_THROW(import_pytorch(folder / "cut.pt"), Error) << length;
  }
}

// An archive as torch.save writes it, with this pickle and a storage "0" of four floats.
void write_archive(const std::filesystem::path& path, const std::string& pickle) {
  caffe2::serialize::PyTorchStreamWriter archive(path.string());
  archive.writeRecord("data.pkl", pickle.data(), pickle.size());
  const std::array<float, 4> storage{1, 2, 3, 4};
  archive.writeRecord("data/0", storage.data(), sizeof storage);
  archive.writeEndOfFile();
}

std::string repeated(const std::string& text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(ImportPytorch, SurvivesEndlessAndDeepPickles) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> pickles{
      {"a dictionary whose state_dict is itself", "}\x94\x8c\x0astate_dicth" + std::string(1, '\0') + "s."},
      {"a list that holds itself", "]\x94h" + std::string(1, '\0') + "a."},
      {"lists in lists, deeper than a stack", repeated("]", 1'000'000) + repeated("a", 999'999) + "."},
      {"tuples in tuples, deeper than a stack", ")" + repeated("\x85", 1'000'000) + "."}};
  for (const auto& [what, pickle] : pickles) {
    write_archive(folder / "file.pt", pickle);
    EXPECT_THROW(read_pytorch_tensors(folder / "file.pt"), Error) << what;
  }
}

// {"w": _rebuild_tensor_v2(storage "0", offset, (size,), (stride,))}, the numbers as 8 bytes each
std::string tensor_pickle(int64_t offset, int64_t size, int64_t stride) {
  const auto number = [](int64_t value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    return "\x8a\x08" + bytes;
  };
  return "}\x8c\x01wctorch._utils\n_rebuild_tensor_v2\n"
         "((\x8c\x07storagectorch\nFloatStorage\n\x8c\x01"
         "0\x8c\x03"
         "cpuK\x04tQ" +
         number(offset) + number(size) + "\x85" + number(stride) + "\x85tRs.";
}

TEST(ImportPytorch, RefusesTensorsBeyondTheirStorage) {
  const TemporaryFolder folder;
  const auto read = [&](int64_t offset, int64_t size, int64_t stride) {
    write_archive(folder / "file.pt", tensor_pickle(offset, size, stride));
    return read_pytorch_tensors(folder / "file.pt").at(0).second;
  };
  EXPECT_TRUE(read(1, 2, 2).equal(torch::tensor({2.F, 4.F})));  // elements 1 and 3 of 1, 2, 3, 4
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  EXPECT_THROW(read(0, 5, 1), Error);
  EXPECT_THROW(read(2, 2, 2), Error);
  EXPECT_THROW(read(most, 2, 1), Error);  // offset + 1 overflows
  EXPECT_THROW(read(1, 3, most), Error);  // and 2 * stride
  EXPECT_THROW(read(-1, 1, 1), Error);
}

// The bytes of the pickle lie near the archive's start; whatever is changed there, no crash and no code run.
TEST(ImportPytorch, SurvivesDamagedPickles) {
  const TemporaryFolder folder;
  const std::string bytes = read_file(LUCIVOX_GOLDEN "/ddnet.pt");
  for (size_t i = 64; i < 3000; i += 29) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x15);
    write_file(folder / "damaged.pt", damaged);
    try {
      read_pytorch_tensors(folder / "damaged.pt");
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace lucivox
