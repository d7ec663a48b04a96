#pragma once

#include <cstdint>

namespace lucivox::cpu {

// Channels-last activations: the channels of pixel (n, y, x) lie together at
// data + ((n rows + y) columns + x) stride. A slice of the channels of a wider buffer has a stride above
// its number of channels.
template <typename Float>
struct Pixels {
  Float* data;
  int64_t images, rows, columns, channels, stride;

  Float* at(int64_t n, int64_t y, int64_t x) const { return data + ((n * rows + y) * columns + x) * stride; }
  int64_t count() const { return images * rows * columns; }
  Pixels slice(int64_t first, int64_t some) const {
    return {data + first, images, rows, columns, some, stride};
  }
};

inline Pixels<const float> as_const(const Pixels<float>& image) {
  return {image.data, image.images, image.rows, image.columns, image.channels, image.stride};
}

// A 1x1 kernel knows no rows: one long row gives the longest runs.
template <typename Float>
Pixels<Float> in_one_row(const Pixels<Float>& image) {
  return {image.data, 1, 1, image.count(), image.channels, image.stride};
}

// Batch norm as it is applied on reading: (x - mean) * scale + shift, each of [channels]. Zeros around an
// image are zeros of what comes out.
struct Normalisation {
  const float *mean, *scale, *shift;

  Normalisation from(int64_t channel) const {
    return scale == nullptr ? *this : Normalisation{mean + channel, scale + channel, shift + channel};
  }
};

}  // namespace lucivox::cpu
