#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include <lucivox/base/config.h>

namespace lucivox {

// What a network reads beyond the edge of an image. Stored in every model file.
struct Border {
  enum class Rule {
    Zeros,    // zeros, with which its convolutions pad
    Reflect,  // `margin` pixels, the image mirrored at its edge; what is computed of them is cut away
  };
  Rule rule = Rule::Zeros;
  int64_t margin = 0;  // pixels; 0 for zeros
};

// Pixels around the samples of a training, where they cost most. A multiple of what networks pool by.
constexpr int64_t kReflectedMargin = 16;

struct Margins {
  int64_t top = 0, bottom = 0, left = 0, right = 0;  // rows and columns
};
// `image` [..., Y, X] mirrored at the edges of its outermost pixels, which are thus repeated ("... 2 1 | 1 2
// 3 ..."): without them repeated, what meets the edge at an angle becomes a sharp tip, and DDNet's error of
// the outermost pixel is twice as large. As often as it takes where a side is shorter than the margin.
at::Tensor reflected(const at::Tensor& image, const Margins& margins);
at::Tensor reflected(const at::Tensor& image, int64_t margin);
// What is left of [..., Y, X] without that many rows and columns on each side.
at::Tensor without_margin(const at::Tensor& image, int64_t margin);

Border reflected_border(int64_t margin);  // of 0: zeros
// What a network that was trained with that margin reads beyond whole images: twice as many pixels. The zeros
// beyond 16 moved the outermost pixels of constant images by up to 5.5 HU, those beyond 32 by 1.1.
Border border_in_use(int64_t training_margin);
Json to_json(const Border& border);
Border border_from_json(const Json& json);   // throws Error (unknown rule, implausible margin)
std::string describe(const Border& border);  // "reflected, 32 pixels"

}  // namespace lucivox
