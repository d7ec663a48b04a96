#include <algorithm>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/kernels/cpu/window_mean.h>
#include <lucivox/metrics/ssim.h>

namespace lucivox {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

at::Tensor gaussian(int64_t size, double sigma, const at::TensorOptions& type) {
  const int64_t middle = size / 2;
  const at::Tensor x = torch::arange(size, type.dtype(at::kDouble)) - middle;
  const at::Tensor weights = torch::exp(x.square() / (-2 * sigma * sigma));
  return (weights / weights.sum()).to(type);
}

std::span<const float> values(const at::Tensor& weights) {
  return {weights.const_data_ptr<float>(), static_cast<size_t>(weights.numel())};
}

// oneDNN treats a window over one channel as a convolution with next to nothing to do for its vectors.
class CpuWindowMean : public torch::autograd::Function<CpuWindowMean> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& images, const at::Tensor& vertical,
                            const at::Tensor& horizontal) {
    ctx->save_for_backward({vertical, horizontal});
    const at::Tensor x = images.contiguous();
    const cpu::WindowedImages size{x.size(0), x.size(2), x.size(3)};
    at::Tensor means =
        at::empty({size.images, 1, size.rows - vertical.numel() + 1, size.columns - horizontal.numel() + 1});
    cpu::window_mean(size, values(vertical), values(horizontal), x.const_data_ptr<float>(),
                     means.mutable_data_ptr<float>());
    return means;
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &vertical = saved[0], &horizontal = saved[1], dy = gradients[0].contiguous();
    const cpu::WindowedImages size{dy.size(0), dy.size(2) + vertical.numel() - 1,
                                   dy.size(3) + horizontal.numel() - 1};
    at::Tensor dx = at::empty({size.images, 1, size.rows, size.columns});
    cpu::window_mean_adjoint(size, values(vertical), values(horizontal), dy.const_data_ptr<float>(),
                             dx.mutable_data_ptr<float>());
    return {dx, {}, {}};
  }
};

// Weighted means of every window that fits: [N, 1, H, W] -> [N, 1, H - h + 1, W - w + 1].
at::Tensor window_mean(const at::Tensor& x, const SsimOptions& options) {
  const at::Tensor vertical = gaussian(std::min(options.window, x.size(2)), options.sigma, x.options()),
                   horizontal = gaussian(std::min(options.window, x.size(3)), options.sigma, x.options());
  if (x.is_cpu() && x.scalar_type() == at::kFloat) return CpuWindowMean::apply(x, vertical, horizontal);
  return at::conv2d(at::conv2d(x, vertical.view({1, 1, -1, 1})), horizontal.view({1, 1, 1, -1}));
}

// Of every window: squares and product of the two means, sum of the variances, covariance; maps [N, 1, h, w].
struct WindowMoments {
  at::Tensor mean_aa, mean_bb, mean_ab, variances, covariance;
};

WindowMoments window_moments(const at::Tensor& a, const at::Tensor& b, const SsimOptions& options) {
  // one pass over all products, stacked along the batch
  const auto means = window_mean(at::cat({a, b, a * a + b * b, a * b}), options).chunk(4);
  WindowMoments m{means[0] * means[0], means[1] * means[1], means[0] * means[1], {}, {}};
  m.variances = means[2] - m.mean_aa - m.mean_bb;
  m.covariance = means[3] - m.mean_ab;
  return m;
}

// The two factors of SSIM.
at::Tensor luminance(const WindowMoments& m, const SsimOptions& options) {
  const double c1 = std::pow(0.01 * options.data_range, 2);
  return (2 * m.mean_ab + c1) / (m.mean_aa + m.mean_bb + c1);
}
at::Tensor structure(const WindowMoments& m, const SsimOptions& options) {
  const double c2 = std::pow(0.03 * options.data_range, 2);
  return (2 * m.covariance + c2) / (m.variances + c2);
}

at::Tensor image_mean(const at::Tensor& map) {
  return map.mean({1, 2, 3});
}

// Halves an image by 2x2 means; an odd side is padded with a row of zeros that counts, as in pytorch-msssim.
at::Tensor halve(const at::Tensor& x) {
  return at::avg_pool2d(x, 2, 2, {x.size(2) % 2, x.size(3) % 2});
}

void require_pair(const at::Tensor& a, const at::Tensor& b) {
  if (a.dim() != 4 || a.size(1) != 1 || a.sizes() != b.sizes()) {
    throw Error(fmt::format("similarity needs two images [N, 1, H, W] of one size, not [{}] and [{}]",
                            fmt::join(a.sizes(), ", "), fmt::join(b.sizes(), ", ")));
  }
}

}  // namespace

at::Tensor ssim(const at::Tensor& a, const at::Tensor& b, const SsimOptions& options) {
  require_pair(a, b);
  const WindowMoments m = window_moments(a, b, options);
  return image_mean(luminance(m, options) * structure(m, options));
}

at::Tensor ms_ssim(const at::Tensor& a, const at::Tensor& b, const MsSsimOptions& options) {
  require_pair(a, b);
  const size_t scales = options.weights.size();
  if ((std::min(a.size(2), a.size(3)) >> (scales - 1)) < 1) {
    throw Error(
        fmt::format("{}x{} pixels are too few for the {} scales of MS-SSIM", a.size(2), a.size(3), scales),
        "use images of at least 16x16 pixels");
  }
  const auto normalised = [&](const at::Tensor& s) {
    return options.normalisation == Normalisation::Simple ? (s + 1) / 2 : at::relu(s);
  };
  at::Tensor x = a, y = b, product;
  for (size_t scale = 0; scale < scales; ++scale) {
    const bool coarsest = scale + 1 == scales;
    const WindowMoments m = window_moments(x, y, options.ssim);
    const at::Tensor factors = structure(m, options.ssim);
    const at::Tensor value = image_mean(coarsest ? luminance(m, options.ssim) * factors : factors);
    const at::Tensor factor = normalised(value).pow(options.weights[scale]);
    product = product.defined() ? product * factor : factor;
    if (!coarsest) {
      x = halve(x);
      y = halve(y);
    }
  }
  return product;
}

}  // namespace lucivox
