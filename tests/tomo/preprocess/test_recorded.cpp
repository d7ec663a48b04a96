#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/preprocess/recorded.h>
#include <lucivox/tomo/preprocess/shift.h>

namespace lucivox {
namespace {

// A smooth row, band-limited and nearly 0 at its ends, sampled anywhere.
at::Tensor bump(double middle) {
  return at::exp((torch::arange(64, at::kDouble) - middle).square() / -30).to(at::kFloat);
}

// What lies at column 25.3 comes to lie in the middle, 31.5.
TEST(Centred, MovesTheAxisToTheMiddle) {
  const at::Tensor sino = at::stack({bump(25.3), bump(31.5)}).unsqueeze(1);
  const at::Tensor moved = centred(sino, {25.3, 31.5});
  EXPECT_LT(largest_difference(moved[0][0], bump(31.5)), 1e-4);
  EXPECT_LT(largest_difference(moved[1][0], bump(31.5)), 1e-6);
  EXPECT_THROW(centred(sino, {25.3}), Error);
  EXPECT_THROW(centred(sino, {25.3, 64}), Error);
  EXPECT_THROW(centred(sino, {25.3, NAN}), Error);
}

// A row with its halo gives what it gives in the whole.
TEST(LineIntegrals, NeedNoMoreThanTheirHalo) {
  torch::manual_seed(1);
  const at::Tensor transmission = 0.2 + 0.8 * torch::rand({8, 40, 24});
  const Recorded all{1000 * transmission, torch::full({2, 40, 24}, 1000.0F), torch::zeros({1, 40, 24})};
  const Preprocessing preprocessing{.zinger_threshold = 0.3, .rings = RingRemoval::Sorting};
  ASSERT_EQ(halo_rows(preprocessing), 1);
  const Recorded some{all.projections.narrow(1, 9, 5), all.flats.narrow(1, 9, 5), all.darks.narrow(1, 9, 5)};
  EXPECT_TRUE(
      at::equal(line_integrals(some, 1, 3, preprocessing), line_integrals(all, 10, 3, preprocessing)));
}

// Without any step they are the logarithm, [V, Z, U] turned to [S, V, U].
TEST(LineIntegrals, AreMinusTheLogarithmOfTheTransmission) {
  const at::Tensor p = torch::rand({5, 3, 24});
  const at::Tensor sino = line_integrals(
      {1000 * at::exp(-p), torch::full({1, 3, 24}, 1000.0F), torch::zeros({0, 3, 24})}, 0, 3, {});
  EXPECT_LT(largest_difference(sino, p.transpose(0, 1)), 1e-5);
}

}  // namespace
}  // namespace lucivox
