#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/tensors.h>
#include <torch/torch.h>

#include <lucivox/base/parallel.h>
#include <lucivox/nn/batch_norm.h>

namespace lucivox {
namespace {

struct Result {
  at::Tensor y, dx, dweight, dbias, running_mean, running_var;
};

// One training pass and its gradients for the output gradient `dy`, in the type of x.
Result pass(const at::Tensor& input, const at::Tensor& dy) {
  const at::TensorOptions type = input.options();
  const int64_t channels = input.size(1);
  const at::Tensor x = input.detach().clone().requires_grad_();
  const at::Tensor weight = (torch::arange(channels, type) * 0.1 + 0.5).requires_grad_(),
                   bias = (torch::arange(channels, type) * -0.2).requires_grad_();
  const at::Tensor running_mean = torch::zeros({channels}, type), running_var = torch::ones({channels}, type);
  const at::Tensor y =
      batch_norm_training(x, {weight, bias, running_mean, running_var}, {.channels = channels});
  y.backward(dy);
  return {y.detach(), x.grad(), weight.grad(), bias.grad(), running_mean, running_var};
}

// libtorch's own in float64 is the truth; ours in float32 rounds each number at 6e-8, and a normalised one
// again.
void expect_near_float64(const at::Tensor& x, const std::string& what) {
  const at::Tensor dy = torch::randn_like(x);
  const Result mine = pass(x, dy), truth = pass(x.to(at::kDouble), dy.to(at::kDouble));
  EXPECT_LT(relative_difference(mine.y, truth.y), 5e-7) << what;
  EXPECT_LT(relative_difference(mine.dx, truth.dx), 5e-6) << what;
  // sums and means near 0 are as right as the numbers they are made of
  const double terms = dy.abs().sum().item<double>() / static_cast<double>(x.size(1));
  EXPECT_LT(largest_difference(mine.dweight, truth.dweight), 1e-6 * terms) << what;
  EXPECT_LT(largest_difference(mine.dbias, truth.dbias), 1e-6 * terms) << what;
  EXPECT_LT(largest_difference(mine.running_mean, truth.running_mean), 1e-7 * x.abs().max().item<double>())
      << what;
  EXPECT_LT(relative_difference(mine.running_var, truth.running_var), 1e-6) << what;
}

// Every instruction set that this machine has, over channel counts around whole vectors and odd sizes.
TEST(BatchNormTraining, IsThatOfFloat64AtEveryVectorLength) {
  torch::manual_seed(1);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (const int64_t channels : {1, 2, 3, 4, 7, 8, 15, 16, 17, 32, 80}) {
      expect_near_float64(torch::randn({2, channels, 9, 7}),
                          fmt::format("{} with {} channels", hwy::TargetName(target), channels));
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

// Where libtorch's channels-last kernels lose digits: many pixels, and a mean far above the deviation.
TEST(BatchNormTraining, KeepsItsDigitsOverManyPixels) {
  torch::manual_seed(2);
  const at::Tensor x = torch::randn({1, 8, 256, 256}) * 0.1;
  expect_near_float64(x, "mean 0");
  const at::Tensor dy = torch::randn_like(x);
  // a value of 10 itself is rounded at 1e-6, a hundred-thousandth of the deviation
  EXPECT_LT(relative_difference(pass(x + 10, dy).y, pass((x + 10).to(at::kDouble), dy.to(at::kDouble)).y),
            1e-5);
}

TEST(BatchNormTraining, DoesNotDependOnTheNumberOfThreads) {
  const at::Tensor x = torch::randn({1, 16, 64, 64}), dy = torch::randn_like(x);
  const int before = threads();
  set_threads(1);
  const Result one = pass(x, dy);
  set_threads(2);
  const Result two = pass(x, dy);
  set_threads(before);
  EXPECT_TRUE(at::equal(one.y, two.y));
  EXPECT_TRUE(at::equal(one.dx, two.dx));
  EXPECT_TRUE(at::equal(one.dweight, two.dweight));
}

TEST(BatchNormTraining, OfAConstantChannelIsItsBias) {
  const at::Tensor x = torch::full({1, 2, 8, 8}, 3.0F);
  const Result result = pass(x, torch::ones_like(x));
  EXPECT_EQ(result.y.select(1, 0).abs().max().item<double>(), 0);
  EXPECT_TRUE(at::isfinite(result.dx).all().item<bool>());
}

}  // namespace
}  // namespace lucivox
