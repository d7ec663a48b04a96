#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/image/image.h>

namespace lucivox {
namespace {

TEST(MemorySource, ReadsRegions) {
  const at::Tensor volume = torch::arange(60, at::kFloat).view({3, 4, 5});
  const auto source = memory_source(volume);
  EXPECT_EQ(source->info().shape, (std::array<int64_t, 3>{3, 4, 5}));
  EXPECT_TRUE(at::equal(source->read({{1, 1, 2}, {2, 3, 2}}),
                        volume.narrow(0, 1, 2).narrow(1, 1, 3).narrow(2, 2, 2)));
}

TEST(MemorySource, RefusesRegionsOutside) {
  const auto source = memory_source(torch::zeros({3, 4, 5}));
  EXPECT_THROW(source->read({{2, 0, 0}, {2, 4, 5}}), Error);
  EXPECT_THROW(source->read({{-1, 0, 0}, {1, 4, 5}}), Error);
  EXPECT_THROW(source->read({{0, 0, 0}, {1, 4, 6}}), Error);
}

TEST(RequireFinite, TellsWhereTheFirstIs) {
  at::Tensor values = torch::zeros({2, 3, 4});
  EXPECT_NO_THROW(require_finite(values, "x"));
  values[1][2][3] = INFINITY;
  try {
    require_finite(values, "scan.tif");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("scan.tif"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lucivox
