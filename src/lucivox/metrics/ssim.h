#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

namespace lucivox {

// Structural similarity, Wang et al., IEEE TIP 13(4), 2004, with the usual constants K1 = 0.01, K2 = 0.03 and
// a Gaussian window (separable: two passes of `window` products instead of one of window^2). Images narrower
// than the window get a window of their own size, as in the public DDNet code.
struct SsimOptions {
  int64_t window = 11;
  double sigma = 1.5;
  double data_range = 1;
};

// Each image's mean over all places where the window fits: [N, 1, H, W] twice -> [N]. Differentiable.
at::Tensor ssim(const at::Tensor& a, const at::Tensor& b, const SsimOptions& options = {});

// How a level's mean similarity, which may be negative, is made fit for a fractional power.
enum class Normalisation {
  Relu,    // max(s, 0): the common definition (pytorch-msssim)
  Simple,  // (s + 1) / 2: the public DDNet loss; a gradient even where similarity is negative
};

struct MsSsimOptions {
  SsimOptions ssim;
  Normalisation normalisation = Normalisation::Relu;
  // Exponents of the five scales, finest first: Wang, Simoncelli and Bovik, Asilomar 2003.
  std::vector<double> weights{0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
};

// Multi-scale SSIM: contrast and structure at every scale, luminance at the coarsest, with 2x2 means between
// the scales: [N, 1, H, W] twice -> [N]. Differentiable in both. Throws Error when the images are too small
// to be halved that often.
at::Tensor ms_ssim(const at::Tensor& a, const at::Tensor& b, const MsSsimOptions& options = {});

}  // namespace lucivox
