#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <ATen/core/Tensor.h>

namespace lucivox {

// A small proportional bitmap font for printable ASCII: capitals are 7 pixels high, descenders reach one
// below. Any other character (one UTF-8 sequence) is drawn as "?". `scale` is the side of one font pixel, at
// least 1.

using Rgb = std::array<uint8_t, 3>;

constexpr int64_t kCapitalHeight = 7;

// Pixels that the text takes up in x.
int64_t text_width(const std::string& text, int64_t scale);

// Draws with the left top corner of the first capital at (x, y) into `rgb`, uint8 [H, W, 3]; what lies
// outside is not drawn.
void draw_text(at::Tensor& rgb, int64_t x, int64_t y, const std::string& text, Rgb colour, int64_t scale);

}  // namespace lucivox
