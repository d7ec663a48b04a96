#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace lucivox::cpu {

// What a direct convolution does along one axis. Output u is pixel first + u * step of its image and a sum
// over `taps` of the kernel's taps, first_tap and every tap_step-th after it, of as many inputs from pixel u
// * stride - before on.
struct Axis {
  int64_t first_tap, tap_step, taps;
  int64_t stride, before;
  int64_t first, step, outputs;
};

struct Pass {
  Axis down, across;
};

// From `pixels` inputs, padded by kernel / 2.
inline Axis strided_axis(int64_t kernel, int64_t stride, int64_t pixels) {
  return {.first_tap = 0,
          .tap_step = 1,
          .taps = kernel,
          .stride = stride,
          .before = kernel / 2,
          .first = 0,
          .step = 1,
          .outputs = (pixels - 1) / stride + 1};
}

// The way back to `pixels` inputs, with the kernel turned. Between the gradients of the outputs stand
// stride - 1 zeros, so that every stride-th pixel, from `phase` on, meets gradients under the same taps.
inline Axis phase_axis(int64_t kernel, int64_t stride, int64_t phase, int64_t pixels) {
  const int64_t half = kernel / 2, tap = (half + stride - phase) % stride;
  return {.first_tap = tap,
          .tap_step = stride,
          .taps = (kernel - tap + stride - 1) / stride,
          .stride = 1,
          .before = (half - phase - tap) / stride,
          .first = phase,
          .step = stride,
          .outputs = (pixels - phase + stride - 1) / stride};
}

// The way back to all phases of an image.
inline std::vector<Pass> phases(int64_t kernel, int64_t stride, int64_t rows, int64_t columns) {
  std::vector<Pass> passes;
  for (int64_t y = 0; y < stride; ++y) {
    for (int64_t x = 0; x < stride; ++x)
      passes.push_back({phase_axis(kernel, stride, y, rows), phase_axis(kernel, stride, x, columns)});
  }
  return passes;
}

// Inputs from the first to the last that `outputs` neighbours read.
inline int64_t inputs_of(const Axis& axis, int64_t outputs) {
  return (outputs - 1) * axis.stride + axis.taps;
}

// Whether each output reads one pixel, which lies in the image.
inline bool is_single_tap(const Pass& pass) {
  return pass.down.taps == 1 && pass.across.taps == 1 && pass.down.before == 0 && pass.across.before == 0;
}

struct Range {
  int64_t first, last;
};

// The outputs [first, last) that find one of `inputs` pixels under tap number `tap`.
inline Range outputs_of_tap(const Axis& axis, int64_t tap, int64_t inputs) {
  const auto before = [&](int64_t pixel) {  // outputs whose tap lies before `pixel`
    return (std::max<int64_t>(0, pixel + axis.before - tap) + axis.stride - 1) / axis.stride;
  };
  const int64_t last = std::min(axis.outputs, before(inputs));
  return {std::min(last, before(0)), last};
}

}  // namespace lucivox::cpu
