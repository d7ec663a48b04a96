#include <gtest/gtest.h>

#include <lucivox/program/device.h>

namespace lucivox {
namespace {

TEST(Device, FullGpuTellsWhatWasAskedAndWhatThereIs) {
  const std::string sentence =
      "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB of which "
      "1.20 GiB "
      "is free";
  EXPECT_EQ(
      gpu_out_of_memory(sentence + ". Process 12 has 77.9 GiB memory in use. If reserved but unallocated "
                                   "memory is large try setting PYTORCH_ALLOC_CONF\nException raised from"),
      sentence);
  EXPECT_EQ(gpu_out_of_memory("CUDA out of memory.\nException raised from malloc"), "CUDA out of memory.");
}

TEST(Device, RankWithoutGpusTakesWhatItWasTold) {
  EXPECT_EQ(device_of_rank("cpu", 3), "cpu");
  EXPECT_EQ(device_of_rank("cuda:1", 3), "cuda:1");
}

}  // namespace
}  // namespace lucivox
