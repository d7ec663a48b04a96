#include <gtest/gtest.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/random.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

TensorFile small_file() {
  return {{{"a", torch::arange(6, at::kFloat).view({2, 3})},
           {"b", torch::tensor({int64_t{-5}})},
           {"s", torch::tensor(2.5, at::kDouble)}},
          {{"note", "with \"quotes\""}}};
}

TEST(Safetensors, GivesBackWhatWasWritten) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", small_file());
  const TensorFile read = read_safetensors(folder / "x.safetensors");
  EXPECT_EQ(read.metadata.at("note"), "with \"quotes\"");
  ASSERT_EQ(read.tensors.size(), 3U);
  for (const auto& [name, tensor] : small_file().tensors) {
    const auto found = std::find_if(read.tensors.begin(), read.tensors.end(),
                                    [&n = name](const auto& t) { return t.first == n; });
    ASSERT_NE(found, read.tensors.end()) << name;
    EXPECT_TRUE(at::equal(found->second, tensor)) << name;
    EXPECT_EQ(found->second.scalar_type(), tensor.scalar_type()) << name;
  }
}

// Layout is not a value: a transposed tensor is stored as it is indexed.
TEST(Safetensors, WritesTransposedTensorsInOrder) {
  const TemporaryFolder folder;
  const at::Tensor t = torch::arange(6, at::kFloat).view({2, 3}).t();
  write_safetensors(folder / "t.safetensors", {{{"t", t}}, {}});
  EXPECT_TRUE(at::equal(read_safetensors(folder / "t.safetensors").tensors[0].second, t));
}

// Written by Hugging Face's own safetensors package (tests/golden/make_ddnet.py).
TEST(Safetensors, ReadsThePublicPackagesFiles) {
  const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/ddnet.safetensors");
  const auto input = std::find_if(file.tensors.begin(), file.tensors.end(),
                                  [](const auto& t) { return t.first == "input"; });
  ASSERT_NE(input, file.tensors.end());
  EXPECT_EQ(input->second.dim(), 4);
}

TEST(Safetensors, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", small_file());
  const std::string bytes = read_file(folder / "x.safetensors");
  for (size_t length = 0; length < bytes.size(); ++length) {
    write_file(folder / "cut.safetensors", bytes.substr(0, length));
    EXPECT_THROW(read_safetensors(folder / "cut.safetensors"), Error) << length;
  }
}

// Any damaged byte gives an error or other numbers, never a crash; run under the sanitizers too.
TEST(Safetensors, SurvivesDamage) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", small_file());
  const std::string bytes = read_file(folder / "x.safetensors");
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = bytes;
    damaged[static_cast<size_t>(random.integer(static_cast<int64_t>(bytes.size())))] =
        static_cast<char>(random.integer(256));
    write_file(folder / "d.safetensors", damaged);
    try {
      read_safetensors(folder / "d.safetensors");
    } catch (const Error&) {
    }
  }
}

TEST(Safetensors, RefusesShapesLargerThanTheFile) {
  const TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  write_file(folder / "h.safetensors", bytes + header);
  EXPECT_THROW(read_safetensors(folder / "h.safetensors"), Error);
}

}  // namespace
}  // namespace lucivox
