#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
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
  EXPECT_EQ(model.network.graph().parameter_count(), 566'451);
  EXPECT_EQ(model.intensity.kind, IntensityMapping::Kind::SliceMinMax);
  const torch::NoGradGuard no_grad;
  const at::Tensor output = model.network.forward(golden("input").to(at::kFloat), Mode::Evaluation);
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
