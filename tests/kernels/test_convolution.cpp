#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/kernels/pixels.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/parallel.h>
#include <lucivox/kernels/cpu/activation.h>
#include <lucivox/kernels/cpu/convolution.h>
#include <lucivox/kernels/cpu/weight_gradient.h>
#include <lucivox/kernels/cpu/winograd.h>

namespace lucivox {
namespace {

struct Case {
  int64_t images, rows, columns, in, out, kernel, stride = 1;

  int64_t y_rows() const { return (rows - 1) / stride + 1; }
  int64_t y_columns() const { return (columns - 1) / stride + 1; }
};

// Channels around whole vectors and tiles, rows longer and shorter than a run, images smaller than the
// kernel, sizes that are no multiples of Winograd's tiles or of the stride, sums in several slices of
// channels, pixels that no window reaches, wide layers of more tiles than are kept at a time.
const std::vector<Case> kCases = {
    {1, 9, 70, 64, 16, 5},     {2, 6, 7, 3, 1, 3},      {1, 6, 131, 13, 21, 5}, {1, 8, 8, 1, 16, 7},
    {3, 4, 65, 5, 6, 1},       {1, 2, 2, 17, 33, 5},    {2, 17, 19, 8, 8, 5},   {1, 7, 50, 32, 1, 1},
    {1, 9, 40, 64, 24, 3},     {2, 17, 19, 8, 8, 3},    {1, 2, 2, 17, 33, 3},   {1, 6, 7, 131, 77, 3},
    {2, 9, 132, 13, 21, 3, 2}, {1, 8, 8, 64, 32, 3, 2}, {2, 7, 6, 3, 5, 5, 2},  {1, 1, 2, 8, 9, 3, 2},
    {2, 5, 12, 9, 8, 1, 2},    {1, 11, 13, 5, 6, 5, 3}, {1, 3, 4, 1, 4, 7, 2},  {1, 14, 9, 4, 3, 5, 4},
    {1, 1, 590, 257, 263, 3},  {2, 5, 9, 300, 220, 5}};

std::string name_of(const Case& c, int64_t target) {
  return fmt::format("{}: {} x [{}, {}], {} to {}, kernel {}, stride {}", hwy::TargetName(target), c.images,
                     c.rows, c.columns, c.in, c.out, c.kernel, c.stride);
}

// What a convolution reads and what comes back to it.
struct Numbers {
  explicit Numbers(const Case& c)
      : x(slice_of_nan(torch::randn({c.images, c.rows, c.columns, c.in}))),
        dy(slice_of_nan(torch::randn({c.images, c.y_rows(), c.y_columns(), c.out}))),
        weight(torch::randn({c.out, c.in, c.kernel, c.kernel})),
        bias(torch::randn({c.out})),
        mean(torch::randn({c.in})),
        scale(torch::rand({c.in}) + 0.5),
        shift(torch::randn({c.in})) {}

  cpu::Normalisation norm() const {
    return {mean.const_data_ptr<float>(), scale.const_data_ptr<float>(), shift.const_data_ptr<float>()};
  }
  at::Tensor normalised64() const { return as_nchw64((x.to(at::kDouble) - mean) * scale + shift); }
  at::Tensor weight64() const { return weight.to(at::kDouble); }

  at::Tensor x, dy, weight, bias, mean, scale, shift;
};

// A sum of n random terms is rounded by about sqrt(n / 2) 3e-8: 1e-6 for a direct one of 2,000. Winograd's
// transforms, of either size, magnify what sums over channels lose at the points 20 times: that is the
// product of the norms of their rows, whose squares are 19 (5x5) and 21 (3x3) along each side. Below 131
// channels what the transforms lose themselves counts as well.
double bound(const Case& c) {
  if (!cpu::suits_winograd(c.kernel, c.stride, c.in, c.out)) return 1e-6;
  return 20 * 3e-8 * std::sqrt(static_cast<double>(std::max({c.in, c.out, int64_t{131}})) / 2);
}

template <typename Check>
void at_every_vector_length(const Check& check) {
  torch::manual_seed(1);
  for (const Case& c : kCases) {
    const Numbers numbers(c);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
      SCOPED_TRACE(name_of(c, target));
      hwy::SetSupportedTargetsForTest(target);
      check(c, numbers);
    }
    hwy::SetSupportedTargetsForTest(0);
  }
}

struct Answer {
  at::Tensor y, sums;  // sums of y - origin and of its square, [2, out]
};

Answer respond(const Case& c, const Numbers& n, float slope, const at::Tensor& origin, bool normalised) {
  Answer answer{slice_of_nan(torch::zeros(n.dy.sizes())), torch::empty({2, c.out}, at::kDouble)};
  cpu::convolution(const_pixels(n.x), normalised ? n.norm() : cpu::Normalisation{},
                   cpu::filters_of(n.weight.const_data_ptr<float>(), c.in, c.out, c.kernel, c.stride),
                   {n.bias.const_data_ptr<float>(), slope, origin.const_data_ptr<float>(),
                    answer.sums[0].mutable_data_ptr<double>(), answer.sums[1].mutable_data_ptr<double>()},
                   pixels(answer.y));
  return answer;
}

TEST(Convolution, IsThatOfFloat64AtEveryVectorLength) {
  at_every_vector_length([](const Case& c, const Numbers& n) {
    for (const bool normalised : {true, false}) {
      const at::Tensor origin = torch::randn({c.out});
      const Answer answer = respond(c, n, 0.01F, origin, normalised);
      const at::Tensor x = normalised ? n.normalised64() : as_nchw64(n.x);
      const at::Tensor truth =
          at::leaky_relu(at::conv2d(x, n.weight64(), n.bias.to(at::kDouble), c.stride, c.kernel / 2), 0.01);
      EXPECT_LT(relative_difference(as_nchw64(answer.y), truth), bound(c));
      EXPECT_TRUE(sides_untouched(answer.y));
      const at::Tensor from_origin = truth - origin.view({1, -1, 1, 1});
      EXPECT_LT(relative_difference(answer.sums[1], from_origin.square().sum(at::IntArrayRef{0, 2, 3})),
                1e-5);
      const double size = from_origin.abs().sum().item<double>() / static_cast<double>(c.out);
      EXPECT_LT(largest_difference(answer.sums[0], from_origin.sum(at::IntArrayRef{0, 2, 3})), 1e-5 * size);
    }
  });
}

// dx before it is added to, the factors of dn and x, and where activations are passed.
struct Terms {
  explicit Terms(int64_t channels)
      : from_dn(torch::randn({channels})),
        from_x(torch::randn({channels})),
        shift(torch::randn({channels})),
        kept((torch::arange(channels) % 2).to(at::kFloat)),
        slope(torch::where(torch::arange(channels) % 3 == 0, torch::full({channels}, 0.25F),
                           torch::ones({channels}))) {}
  at::Tensor from_dn, from_x, shift, kept, slope;
};

void propagate(const Case& c, const Numbers& n, const Terms& t, const at::Tensor& dx) {
  cpu::convolution_gradient(
      const_pixels(n.dy), cpu::filters_of(n.weight.const_data_ptr<float>(), c.in, c.out, c.kernel, c.stride),
      {n.mean.const_data_ptr<float>(),
       t.from_dn.const_data_ptr<float>(),
       t.from_x.const_data_ptr<float>(),
       t.shift.const_data_ptr<float>(),
       {const_pixels(n.x), t.kept.const_data_ptr<float>(), t.slope.const_data_ptr<float>()}},
      pixels(dx));
}

TEST(Convolution, InputGradientIsThatOfFloat64AtEveryVectorLength) {
  at_every_vector_length([](const Case& c, const Numbers& n) {
    const Terms t(c.in);
    // channels that are not kept hold anything before
    const at::Tensor before =
        torch::where(t.kept > 0, torch::randn({c.images, c.rows, c.columns, c.in}), NAN);
    const at::Tensor dx = slice_of_nan(before);
    propagate(c, n, t, dx);
    const at::Tensor dn = at::conv_transpose2d(as_nchw64(n.dy), n.weight64(), {}, c.stride, c.kernel / 2,
                                               {(c.rows - 1) % c.stride, (c.columns - 1) % c.stride})
                              .permute({0, 2, 3, 1});
    const at::Tensor x = n.x.to(at::kDouble);
    const at::Tensor sum = torch::where(t.kept > 0, before, 0).to(at::kDouble) + t.from_dn * dn +
                           t.from_x * (x - n.mean) + t.shift;
    EXPECT_LT(relative_difference(dx, torch::where(x > 0, sum, sum * t.slope)), bound(c));
    EXPECT_TRUE(sides_untouched(dx));
  });
}

// <A x, dy> = <x, A' dy>, but for what either product is off.
TEST(Convolution, InputGradientIsTheAdjointAtEveryVectorLength) {
  at_every_vector_length([](const Case& c, const Numbers& n) {
    const at::Tensor zeros = torch::zeros({c.in}), ones = torch::ones({c.in}), none = torch::zeros({c.out});
    Numbers linear = n;
    linear.bias = none;
    const at::Tensor y = respond(c, linear, 1, none, false).y.to(at::kDouble);
    Terms t(c.in);
    t.from_dn = t.slope = ones;
    t.from_x = t.shift = t.kept = zeros;
    const at::Tensor dx = slice_of_nan(torch::zeros(n.x.sizes()));
    propagate(c, n, t, dx);
    const at::Tensor x64 = n.x.to(at::kDouble), dy64 = n.dy.to(at::kDouble), dx64 = dx.to(at::kDouble);
    const double forwards = (y * dy64).sum().item<double>(), backwards = (x64 * dx64).sum().item<double>();
    const at::Tensor size = y.norm() * dy64.norm() + x64.norm() * dx64.norm();
    EXPECT_LT(std::abs(forwards - backwards), bound(c) * size.item<double>());
  });
}

TEST(Convolution, WeightGradientIsThatOfFloat64AtEveryVectorLength) {
  at_every_vector_length([](const Case& c, const Numbers& n) {
    for (const bool normalised : {true, false}) {
      const at::Tensor weight = torch::zeros({c.out, c.in, c.kernel, c.kernel}, at::kDouble).requires_grad_();
      const at::Tensor x = normalised ? n.normalised64() : as_nchw64(n.x);
      at::conv2d(x, weight, {}, c.stride, c.kernel / 2).backward(as_nchw64(n.dy));
      const at::Tensor dw = torch::empty({c.kernel, c.kernel, c.in, c.out});
      cpu::weight_gradient(const_pixels(n.x), normalised ? n.norm() : cpu::Normalisation{},
                           const_pixels(n.dy), c.kernel, c.stride, dw.mutable_data_ptr<float>());
      EXPECT_LT(relative_difference(dw.permute({3, 2, 0, 1}), weight.grad()), bound(c));
    }
  });
}

// The gradient for an input of ones.
TEST(Convolution, TapSumsAreTheGradientOfOnesAtEveryVectorLength) {
  at_every_vector_length([](const Case& c, const Numbers& n) {
    const at::Tensor weight = torch::zeros({c.out, 1, c.kernel, c.kernel}, at::kDouble).requires_grad_();
    const at::Tensor ones = torch::ones({c.images, 1, c.rows, c.columns}, at::kDouble);
    at::conv2d(ones, weight, {}, c.stride, c.kernel / 2).backward(as_nchw64(n.dy));
    const at::Tensor sums = torch::empty({c.kernel, c.kernel, c.out}, at::kDouble);
    cpu::tap_sums(const_pixels(n.x), const_pixels(n.dy), c.kernel, c.stride, sums.mutable_data_ptr<double>());
    const double size = n.dy.abs().sum().item<double>() / static_cast<double>(c.out);
    EXPECT_LT(largest_difference(sums.permute({2, 0, 1}), weight.grad().squeeze(1)), 1e-6 * size);
  });
}

TEST(Convolution, DoesNotDependOnTheNumberOfThreads) {
  for (const Case& c :
       {Case{2, 40, 41, 16, 24, 5}, Case{2, 40, 41, 70, 72, 3}, Case{2, 40, 41, 16, 24, 3, 2}}) {
    const Numbers n(c);
    const int before = threads();
    std::array<Answer, 2> answers;
    std::array<at::Tensor, 2> gradients;
    for (const int count : {1, 2}) {
      set_threads(count);
      const auto i = static_cast<size_t>(count - 1);
      answers[i] = respond(c, n, 0.01F, n.bias, true);
      gradients[i] = torch::empty({c.kernel, c.kernel, c.in, c.out});
      cpu::weight_gradient(const_pixels(n.x), n.norm(), const_pixels(n.dy), c.kernel, c.stride,
                           gradients[i].mutable_data_ptr<float>());
    }
    set_threads(before);
    EXPECT_TRUE(at::equal(answers[0].y, answers[1].y));
    EXPECT_TRUE(at::equal(answers[0].sums, answers[1].sums));
    EXPECT_TRUE(at::equal(gradients[0], gradients[1]));
  }
}

TEST(Activation, GradientIsLeakyReluS) {
  const at::Tensor y = slice_of_nan(torch::randn({2, 3, 5, 11})),
                   dy = slice_of_nan(torch::randn({2, 3, 5, 11})), slope = torch::rand({11}),
                   before = dy.clone();
  cpu::activation_gradient(const_pixels(y), slope.const_data_ptr<float>(), pixels(dy));
  EXPECT_TRUE(at::equal(dy, torch::where(y > 0, before, before * slope)));
  EXPECT_TRUE(sides_untouched(dy));
}

}  // namespace
}  // namespace lucivox
