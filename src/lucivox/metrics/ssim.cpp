#include <algorithm>
#include <span>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/autograd/custom_function.h>

#include <lucivox/base/error.h>
#include <lucivox/kernels/cpu/similarity.h>
#include <lucivox/metrics/ssim.h>

namespace lucivox {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

at::Tensor gaussian(int64_t size, double sigma, const at::TensorOptions& type) {
  const int64_t middle = size / 2;
  const at::Tensor x = at::arange(size, type.dtype(at::kDouble)) - middle;
  const at::Tensor weights = at::exp(x.square() / (-2 * sigma * sigma));
  return (weights / weights.sum()).to(type);
}

std::span<const float> values(const at::Tensor& weights) {
  return {weights.const_data_ptr<float>(), static_cast<size_t>(weights.numel())};
}

struct Windows {
  at::Tensor vertical, horizontal;  // weights
};

Windows windows_for(const at::Tensor& x, const SsimOptions& options) {
  return {gaussian(std::min(options.window, x.size(2)), options.sigma, x.options()),
          gaussian(std::min(options.window, x.size(3)), options.sigma, x.options())};
}

// SSIM's constants, K1 and K2 times the range, squared.
double c1(const SsimOptions& options) {
  return std::pow(0.01 * options.data_range, 2);
}
double c2(const SsimOptions& options) {
  return std::pow(0.03 * options.data_range, 2);
}

enum class Kind { Structure, LuminanceAndStructure };

// On CPUs in float32 by a kernel of ours: libtorch would write and read a map a dozen times, and oneDNN
// treats a window over one channel as a convolution with next to nothing to do for its vectors.
class CpuSimilarity : public torch::autograd::Function<CpuSimilarity> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& image, const at::Tensor& other, Kind kind,
                            const SsimOptions& options) {
    const at::Tensor a = image.contiguous(), b = other.contiguous();
    const Windows windows = windows_for(a, options);
    const at::Tensor means = at::empty({4, a.size(0), a.size(2) - windows.vertical.numel() + 1,
                                        a.size(3) - windows.horizontal.numel() + 1}),
                     similarity = at::empty({a.size(0)}, at::kDouble);
    cpu::similarity(size_of(a), terms(windows, kind, options), a.const_data_ptr<float>(),
                    b.const_data_ptr<float>(), means.mutable_data_ptr<float>(),
                    similarity.mutable_data_ptr<double>());
    ctx->save_for_backward({a, b, means});
    ctx->saved_data["kind"] = static_cast<int64_t>(kind);
    ctx->saved_data["window"] = options.window;
    ctx->saved_data["sigma"] = options.sigma;
    ctx->saved_data["range"] = options.data_range;
    return similarity.to(at::kFloat);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &a = saved[0], &b = saved[1], weight = gradients[0].to(at::kDouble).contiguous();
    const SsimOptions options{ctx->saved_data["window"].toInt(), ctx->saved_data["sigma"].toDouble(),
                              ctx->saved_data["range"].toDouble()};
    const Windows windows = windows_for(a, options);
    const at::Tensor da = at::empty_like(a), db = at::empty_like(b);
    cpu::similarity_gradient(
        size_of(a), terms(windows, static_cast<Kind>(ctx->saved_data["kind"].toInt()), options),
        a.const_data_ptr<float>(), b.const_data_ptr<float>(), saved[2].const_data_ptr<float>(),
        weight.const_data_ptr<double>(), da.mutable_data_ptr<float>(), db.mutable_data_ptr<float>());
    return {da, db, {}, {}};
  }

 private:
  static cpu::SimilarImages size_of(const at::Tensor& x) { return {x.size(0), x.size(2), x.size(3)}; }
  static cpu::Similarity terms(const Windows& windows, Kind kind, const SsimOptions& options) {
    return {values(windows.vertical), values(windows.horizontal), static_cast<float>(c1(options)),
            static_cast<float>(c2(options)), kind == Kind::LuminanceAndStructure};
  }
};

// Weighted means of every window that fits: [N, 1, H, W] -> [N, 1, H - h + 1, W - w + 1].
at::Tensor window_mean(const at::Tensor& x, const SsimOptions& options) {
  const Windows windows = windows_for(x, options);
  return at::conv2d(at::conv2d(x, windows.vertical.view({1, 1, -1, 1})),
                    windows.horizontal.view({1, 1, 1, -1}));
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
  return (2 * m.mean_ab + c1(options)) / (m.mean_aa + m.mean_bb + c1(options));
}
at::Tensor structure(const WindowMoments& m, const SsimOptions& options) {
  return (2 * m.covariance + c2(options)) / (m.variances + c2(options));
}

// [N]: each image's mean over all windows.
at::Tensor similarity(const at::Tensor& a, const at::Tensor& b, Kind kind, const SsimOptions& options) {
  const auto fits = [](const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; };
  if (fits(a) && fits(b)) return CpuSimilarity::apply(a, b, kind, options);
  const WindowMoments m = window_moments(a, b, options);
  const at::Tensor factors = structure(m, options);
  const at::Tensor map = kind == Kind::Structure ? factors : luminance(m, options) * factors;
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
  return similarity(a, b, Kind::LuminanceAndStructure, options);
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
    const at::Tensor value =
        similarity(x, y, coarsest ? Kind::LuminanceAndStructure : Kind::Structure, options.ssim);
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
