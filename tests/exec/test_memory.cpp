#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/exec/memory.h>

namespace lucivox {
namespace {

TEST(KeepTensorMemory, GivesALargeTensorThePlaceOfTheLastOne) {
  const at::Tensor before = torch::ones({1 << 20});  // of libtorch's own allocator, freed after the change
  keep_tensor_memory();
  const void* place = nullptr;
  {
    const at::Tensor large = torch::ones({3 << 20});
    place = large.const_data_ptr();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(place) % 64, 0U);
  }
  const at::Tensor next = torch::zeros({(3 << 20) - 1000});
  EXPECT_EQ(next.const_data_ptr(), place);
  EXPECT_EQ(before.sum().item<float>(), 1 << 20);
}

TEST(KeepTensorMemory, SmallAndEmptyTensorsWork) {
  keep_tensor_memory();
  for (const int64_t size : {0, 1, 15, 1000, 300'000}) {
    const at::Tensor t = torch::full({size}, 2.0F);
    EXPECT_EQ(t.sum().item<double>(), 2.0 * static_cast<double>(size));
    EXPECT_EQ(t.clone().sum().item<double>(), 2.0 * static_cast<double>(size));
  }
}

TEST(KeepTensorMemory, TooMuchIsAnError) {
  keep_tensor_memory();
  EXPECT_THROW(torch::empty({int64_t{1} << 60}), Error);
}

}  // namespace
}  // namespace lucivox
