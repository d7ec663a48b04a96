#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/tensors.h>
#include <torch/torch.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/weight_gradient.h>
#include <lucivox/nn/convolution.h>

namespace lucivox {
namespace {

struct Case {
  int64_t images, rows, columns, in, out, kernel;
};

at::Tensor channels_last(const at::Tensor& x) {
  return x.contiguous(at::MemoryFormat::ChannelsLast);
}

// The kernel's gradient as libtorch lays weights out, [out, in, k, k].
at::Tensor weight_gradient(const at::Tensor& x, const at::Tensor& dy, int64_t kernel) {
  const at::Tensor input = channels_last(x), gradient = channels_last(dy);
  at::Tensor dw = torch::empty({kernel, kernel, x.size(1), dy.size(1)});
  cpu::weight_gradient({x.size(0), x.size(2), x.size(3), x.size(1), dy.size(1), kernel},
                       input.const_data_ptr<float>(), gradient.const_data_ptr<float>(),
                       dw.mutable_data_ptr<float>());
  return dw.permute({3, 2, 0, 1});
}

// libtorch's in float64.
at::Tensor true_weight_gradient(const at::Tensor& x, const at::Tensor& dy, int64_t kernel) {
  const at::Tensor weight =
      torch::zeros({dy.size(1), x.size(1), kernel, kernel}, at::kDouble).requires_grad_();
  at::conv2d(x.to(at::kDouble), weight, {}, 1, kernel / 2).backward(dy.to(at::kDouble));
  return weight.grad();
}

// Channels around whole vectors and tiles, rows longer and shorter than a run of 64 pixels, images smaller
// than the kernel.
TEST(WeightGradient, IsThatOfFloat64AtEveryVectorLength) {
  torch::manual_seed(1);
  for (const Case& c : {Case{1, 9, 70, 64, 16, 5}, Case{2, 5, 7, 3, 1, 3}, Case{1, 6, 130, 13, 21, 5},
                        Case{1, 8, 8, 1, 16, 7}, Case{3, 4, 65, 5, 6, 1}, Case{1, 2, 2, 17, 33, 5}}) {
    const at::Tensor x = torch::randn({c.images, c.in, c.rows, c.columns}),
                     dy = torch::randn({c.images, c.out, c.rows, c.columns});
    const at::Tensor truth = true_weight_gradient(x, dy, c.kernel);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
      hwy::SetSupportedTargetsForTest(target);
      // sums of at most 780 products, each rounded at 6e-8
      EXPECT_LT(relative_difference(weight_gradient(x, dy, c.kernel), truth), 1e-6)
          << hwy::TargetName(target) << ", " << c.in << " to " << c.out;
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

TEST(WeightGradient, DoesNotDependOnTheNumberOfThreads) {
  const at::Tensor x = torch::randn({1, 8, 40, 40}), dy = torch::randn({1, 8, 40, 40});
  const int before = threads();
  set_threads(1);
  const at::Tensor one = weight_gradient(x, dy, 5);
  set_threads(2);
  EXPECT_TRUE(at::equal(weight_gradient(x, dy, 5), one));
  set_threads(before);
}

// All that autograd asks for, against libtorch's own in float64.
TEST(Convolution, GradientsAreThoseOfFloat64) {
  torch::manual_seed(2);
  const at::Tensor x = channels_last(torch::randn({2, 6, 12, 10})).requires_grad_(),
                   weight = torch::randn({4, 6, 5, 5}).requires_grad_(),
                   bias = torch::randn({4}).requires_grad_();
  const at::Tensor dy = torch::randn({2, 4, 12, 10});
  convolution(x, weight, bias).backward(dy);
  std::vector<at::Tensor> truth;
  for (const at::Tensor& tensor : {x, weight, bias})
    truth.push_back(tensor.detach().to(at::kDouble).requires_grad_());
  at::conv2d(truth[0], truth[1], truth[2], 1, 2).backward(dy.to(at::kDouble));
  EXPECT_LT(relative_difference(x.grad(), truth[0].grad()), 1e-6);
  EXPECT_LT(relative_difference(weight.grad(), truth[1].grad()), 1e-6);
  EXPECT_LT(relative_difference(bias.grad(), truth[2].grad()), 1e-6);
}

}  // namespace
}  // namespace lucivox
