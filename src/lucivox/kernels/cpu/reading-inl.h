// How kernels read activations: as they are or normalised, with zeros around the image.

#if defined(LUCIVOX_READING_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LUCIVOX_READING_INL_H_
#undef LUCIVOX_READING_INL_H_
#else
#define LUCIVOX_READING_INL_H_
#endif

#include <lucivox/kernels/cpu/multiply-inl.h>
#include <lucivox/kernels/cpu/pixels.h>
#include <lucivox/kernels/cpu/winograd-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lucivox::cpu::HWY_NAMESPACE {

// One vector of channels, read at any pixel, as it is or normalised.
struct AsItIs {
  template <typename Width>
  class Channels {
   public:
    Channels(const Normalisation&, int64_t, Width width) : width_(width) {}
    HWY_INLINE Vector operator()(const float* from) const { return load(from, width_); }

   private:
    Width width_;
  };
};

struct Normalised {
  template <typename Width>
  class Channels {
   public:
    Channels(const Normalisation& norm, int64_t c, Width width)
        : width_(width),
          mean_(load(norm.mean + c, width)),
          scale_(load(norm.scale + c, width)),
          shift_(load(norm.shift + c, width)) {}
    HWY_INLINE Vector operator()(const float* from) const {
      return hn::MulAdd(hn::Sub(load(from, width_), mean_), scale_, shift_);
    }

   private:
    Width width_;
    Vector mean_, scale_, shift_;
  };
};

// Calls body with the way to read that `norm` says.
template <typename Body>
HWY_INLINE void with_reader(const Normalisation& norm, const Body& body) {
  if (norm.scale == nullptr) {
    body(AsItIs());
  } else {
    body(Normalised());
  }
}

// The place of a tile of outputs.
struct Tile {
  int64_t n, y, x;
};

// Tiles of `side` x `side` outputs.
HWY_INLINE int64_t tiles_along(int64_t pixels, int64_t side) {
  return (pixels + side - 1) / side;
}

template <typename Float>
HWY_INLINE int64_t tile_count(const Pixels<Float>& image, int64_t side) {
  return image.images * tiles_along(image.rows, side) * tiles_along(image.columns, side);
}

template <typename Float>
HWY_INLINE Tile tile_at(const Pixels<Float>& image, int64_t side, int64_t index) {
  const int64_t across = tiles_along(image.columns, side), down = tiles_along(image.rows, side);
  return {index / (across * down), index / across % down * side, index % across * side};
}

// Calls body(read) with read(y, x) a vector at pixel (top + y, left + x) of image n, for a square of `side`
// pixels: without checks where the square lies inside, with zeros around the image where not.
template <typename Reader, typename Body>
HWY_INLINE void read_square(const Pixels<const float>& image, const Reader& reader, int64_t n, int64_t top,
                            int64_t left, int64_t side, int64_t c, const Body& body) {
  const int64_t column = image.stride, row = image.columns * column;
  const float* corner = image.data + (n * image.rows + top) * row + left * column + c;
  const auto from = [=](int64_t y, int64_t x) { return corner + y * row + x * column; };
  if (top >= 0 && left >= 0 && top + side <= image.rows && left + side <= image.columns) {
    body([=](int64_t y, int64_t x) { return reader(from(y, x)); });
  } else {
    body([&](int64_t y, int64_t x) {
      const bool inside = top + y >= 0 && top + y < image.rows && left + x >= 0 && left + x < image.columns;
      return inside ? reader(from(y, x)) : hn::Zero(Floats());
    });
  }
}

// A matrix for each of the 64 points, a row of it for each tile of a block; the pad keeps rows of different
// points in different sets of a cache.
struct PointMatrices {
  float* data;
  int64_t tiles, columns;

  static constexpr int64_t kPad = 16;
  int64_t point_stride() const { return tiles * columns + kPad; }
  float* row(int64_t point, int64_t tile) const { return data + point * point_stride() + tile * columns; }
  PointMatrices from(int64_t tile) const { return {row(0, tile), tiles, columns}; }
  static size_t floats(int64_t tiles, int64_t columns) {
    return static_cast<size_t>(kPoints * (tiles * columns + kPad));
  }
};

// B' d B of `count` tiles from `first` on into the rows of `v`, whose columns are the channels.
template <typename Reader, int Taps>
void transform_inputs(const Pixels<const float>& x, const Normalisation& norm, int64_t first, int64_t count,
                      const PointMatrices& v) {
  constexpr int64_t kBefore = Taps / 2;
  const int64_t point_stride = v.point_stride();
  for (int64_t t = 0; t < count; ++t) {
    const Tile tile = tile_at(x, kOutputs<Taps>, first + t);
    over_vectors(x.channels, [&](int64_t c, auto width) {
      const typename Reader::template Channels<decltype(width)> reader(norm, c, width);
      float* to = v.row(0, t) + c;
      read_square(x, reader, tile.n, tile.y - kBefore, tile.x - kBefore, kIn, c, [&](const auto& read) {
        both_sides<kIn, kIn>(input_points, read, [=](int64_t i, int64_t j, Vector value) {
          store(value, to + (i * kIn + j) * point_stride, width);
        });
      });
    });
  }
}

// Pixels of a single channel lie in a row beside each other, a whole vector of them at once.
HWY_INLINE void gather_single_channel(const float* from, const Normalisation& norm, int64_t pixels,
                                      float* to) {
  const Floats d;
  const bool plain = norm.scale == nullptr;
  const auto mean = hn::Set(d, plain ? 0.0F : norm.mean[0]), scale = hn::Set(d, plain ? 1.0F : norm.scale[0]),
             shift = hn::Set(d, plain ? 0.0F : norm.shift[0]);
  over_vectors(pixels, [&](int64_t i, auto width) {
    store(hn::MulAdd(hn::Sub(load(from + i, width), mean), scale, shift), to + i, width);
  });
}

// Pixels [left, left + columns) of rows [top, top + rows) of image n; any of them may lie outside.
struct Rectangle {
  int64_t n, top, left, rows, columns;
};

// The rows of a rectangle behind each other.
template <typename Reader>
void gather(const Pixels<const float>& x, const Normalisation& norm, const Rectangle& from, float* rows) {
  const int64_t channels = x.channels, before = std::clamp<int64_t>(-from.left, 0, from.columns),
                behind = std::clamp<int64_t>(from.left + from.columns - x.columns, 0, from.columns - before),
                inside = from.columns - before - behind;
  float* to = rows;
  const auto zeros = [&](int64_t pixels) { to = std::fill_n(to, pixels * channels, 0.0F); };
  for (int64_t y = from.top; y < from.top + from.rows; ++y) {
    if (y < 0 || y >= x.rows) {
      zeros(from.columns);
      continue;
    }
    zeros(before);
    const float* pixels = x.at(from.n, y, from.left + before);
    if (channels == 1 && x.stride == 1) {
      gather_single_channel(pixels, norm, inside, to);
    } else {
      over_vectors(channels, [&](int64_t c, auto width) {
        const typename Reader::template Channels<decltype(width)> reader(norm, c, width);
        for (int64_t i = 0; i < inside; ++i)
          store(reader(pixels + i * x.stride + c), to + i * channels + c, width);
      });
    }
    to += inside * channels;
    zeros(behind);
  }
}

}  // namespace lucivox::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
