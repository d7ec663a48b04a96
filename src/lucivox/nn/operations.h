#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace lucivox {

// What nodes of a graph compute. Whoever treats operations differently visits them one by one (Overload), so
// that a new one does not compile before all have heard of it.

// Along z, y and x. Graphs of two dimensions have 1 along z.
using Axes = std::array<int64_t, 3>;
inline constexpr Axes kOnes{1, 1, 1};

struct Input {
  int64_t channels = 1;

  bool operator==(const Input&) const = default;
};

// What lies around an image, where a convolution reads beyond it.
enum class Padding { Zeros, Reflect, Replicate };
inline constexpr std::array kPaddingNames{"zeros", "reflect", "replicate"};

// Convolution that keeps the size, at stride 1: along each axis dilation * (kernel - 1) / 2 are padded on
// both sides. Else of every `stride` positions the first remains. Weight [out, in / groups, kernel...], bias
// [out]. `transposed` keeps the weight as a transposed convolution stores it, [in, out, kernel...]; at stride
// 1, the only one it has, that is an ordinary convolution with the kernel flipped, and it is computed as one.
struct Convolution {
  int64_t in = 1, out = 1;
  Axes kernel = kOnes;  // odd
  bool transposed = false;
  Axes stride = kOnes, dilation = kOnes;
  int64_t groups = 1;  // each reads its own part of the channels, and makes its own
  Padding padding = Padding::Zeros;

  bool operator==(const Convolution&) const = default;

  // Along which dimension of the weight its filters (output channels) and its input channels lie.
  int64_t filter_dimension() const { return transposed ? 1 : 0; }
  int64_t channel_dimension() const { return transposed ? 0 : 1; }
  // Of two dimensions, square, with zeros around it, and neither dilated nor in groups.
  bool plain() const {
    return kernel == Axes{1, side(), side()} && stride == Axes{1, step(), step()} && dilation == kOnes &&
           groups == 1 && padding == Padding::Zeros;
  }
  // The kernel and the stride of a plain one.
  int64_t side() const { return kernel[2]; }
  int64_t step() const { return stride[2]; }
};

// By which mean and variance a batch norm normalises in evaluation: those that followed the training, or
// those of the images at hand, as the public DDNet code does.
enum class NormStatistics { Running, Batch };

// Ioffe and Szegedy, 2015. In training by the batch's own mean and variance.
struct BatchNorm {
  int64_t channels = 1;
  double eps = 1e-5, momentum = 0.1;
  NormStatistics statistics = NormStatistics::Running;

  static constexpr bool kEachChannel = true;
  bool operator==(const BatchNorm&) const = default;
};

struct LeakyRelu {
  double slope = 0.01;

  static constexpr bool kEachChannel = true, kKeepsZero = true;
  bool operator==(const LeakyRelu&) const = default;
};

// x where x > 0, else alpha (exp(x) - 1).
struct Elu {
  double alpha = 1;

  static constexpr bool kEachChannel = true, kKeepsZero = true;
  bool operator==(const Elu&) const = default;
};

// x / (1 + exp(-x)).
struct Swish {
  static constexpr bool kEachChannel = true, kKeepsZero = true;
  bool operator==(const Swish&) const = default;
};

// 1 / (1 + exp(-x)).
struct Sigmoid {
  static constexpr bool kEachChannel = true, kKeepsZero = false;
  bool operator==(const Sigmoid&) const = default;
};

// Over the channels of each position.
struct Softmax {
  bool operator==(const Softmax&) const = default;
};

struct MaxPool {
  Axes kernel{1, 3, 3}, stride{1, 2, 2}, padding{0, 1, 1};

  static constexpr bool kEachChannel = true, kKeepsZero = true;
  bool operator==(const MaxPool&) const = default;
};

// The mean of what lies inside the image.
struct AveragePool {
  Axes kernel{1, 2, 2}, stride{1, 2, 2}, padding{0, 0, 0};

  static constexpr bool kEachChannel = true, kKeepsZero = true;
  bool operator==(const AveragePool&) const = default;
};

enum class Interpolation { Nearest, Linear };

// How the pixels of a small and of an enlarged image lie on each other: by the middles of the outermost ones
// (PyTorch's align_corners), by their outer edges (half-pixel centres), or, as TensorFlow 1 had it, by the
// middles of the first ones and the factor.
enum class Grids { Corners, Edges, Origins };

struct Upsample {
  Axes factor{1, 2, 2};
  Interpolation interpolation = Interpolation::Linear;
  Grids grids = Grids::Corners;

  static constexpr bool kEachChannel = true, kKeepsZero = true;
  bool operator==(const Upsample&) const = default;
};

// Joins the channels of its inputs, in their order.
struct Concat {
  bool operator==(const Concat&) const = default;
};

// Of inputs that are alike.
struct Add {
  bool operator==(const Add&) const = default;
};

// Every output reads all pixels of all channels of a square image: [N, channels, side, side] -> [N, out, 1,
// 1]; weight [out, channels * side * side], bias [out], as PyTorch's Linear behind Flatten. Its output is no
// image: only activations and other dense layers read it.
struct Dense {
  int64_t channels = 1, side = 1, out = 1;

  bool operator==(const Dense&) const = default;
};

using Operation = std::variant<Input, Convolution, BatchNorm, LeakyRelu, Elu, Swish, Sigmoid, Softmax,
                               MaxPool, AveragePool, Upsample, Concat, Add, Dense>;

// Operations with one input of whose channels each becomes one of theirs, by itself.
template <typename T>
concept EachChannel = requires {
  requires T::kEachChannel;
};
// Those of them that have no weights: whether a channel of zeros stays one.
template <typename T>
concept Weightless = EachChannel<T> && requires {
  T::kKeepsZero;
};

// ---- what a graph needs to know of them ----

// What a node reads.
struct Reading {
  std::string node;               // its name, for messages
  std::vector<int64_t> channels;  // of each input
  int64_t dimensions = 2;         // of the images, 2 or 3
};

// Channels of a node's output. Throws Error when the operation does not fit what it reads, or makes no sense.
int64_t output_channels(const Operation& operation, const Reading& reading);

// A weight or a statistic of an operation.
struct OwnWeight {
  std::string name;  // "weight", "bias", "running_mean", ...
  std::vector<int64_t> shape;
  bool trained = true;  // false: a statistic
};

// By axes z, y, x.
struct Facts {
  std::array<double, 3> reduction{1, 1, 1};  // how many times smaller than its input its output is
  std::array<double, 3> reach{};  // pixels of its input around an output's place that it may depend on
  double flops = 0;               // for one pixel of output; of a dense layer, for all of it
  bool takes_no_image = false;    // whether it can follow a dense layer
  std::vector<OwnWeight> weights = {};
};
Facts facts_of(const Operation& operation, int64_t dimensions);

}  // namespace lucivox
