#pragma once

#include <cstdint>
#include <span>

namespace lucivox::cpu {

// Images whose windows are averaged: contiguous float32 [images][rows][columns].
struct WindowedImages {
  int64_t images, rows, columns;
};

// Weighted means over every window that fits, the weights being vertical[i] * horizontal[j]:
// [images][rows - v + 1][columns - h + 1], v and h being the numbers of weights, at most the image's sides.
void window_mean(const WindowedImages& size, std::span<const float> vertical,
                 std::span<const float> horizontal, const float* x, float* means);

// Its adjoint, <mean x, y> = <x, adjoint y>: from [images][rows - v + 1][columns - h + 1] to the images.
void window_mean_adjoint(const WindowedImages& size, std::span<const float> vertical,
                         std::span<const float> horizontal, const float* means, float* x);

}  // namespace lucivox::cpu
