#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/exec/torch_operations.h>

namespace lucivox {
namespace {

// Of the axes that an image [N, C, (D,) H, W] has.
std::vector<int64_t> of_image(const Axes& axes, const at::Tensor& x) {
  return {axes.end() - (x.dim() - 2), axes.end()};
}

bool is_volume(const at::Tensor& x) {
  return x.dim() == 5;
}

// One channel is the same bytes in both layouts; unless its strides tell, a convolution takes the slow
// layout, which everything behind it then inherits.
at::Tensor channels_last(const at::Tensor& x) {
  if (is_volume(x)) return x.contiguous(at::MemoryFormat::ChannelsLast3d);
  return x.size(1) == 1 ? x.squeeze(1).unsqueeze(3).permute({0, 3, 1, 2})
                        : x.contiguous(at::MemoryFormat::ChannelsLast);
}

// A transposed convolution of stride 1 is the convolution with the flipped kernel, its channels exchanged.
at::Tensor as_convolution(const at::Tensor& weight) {
  std::vector<int64_t> spatial;
  for (int64_t dimension = 2; dimension < weight.dim(); ++dimension) spatial.push_back(dimension);
  return weight.transpose(0, 1).flip(spatial);
}

// `around` positions more on both sides of one dimension, mirrored as often as it takes; at::pad() refuses
// more than once.
at::Tensor mirrored(const at::Tensor& x, int64_t dimension, int64_t around) {
  const int64_t size = x.size(dimension), period = std::max(2 * (size - 1), int64_t{1});
  const at::Tensor within =
      at::arange(-around, size + around, x.options().dtype(at::kLong)).remainder(period);
  return x.index_select(dimension, at::minimum(within, period - within).clamp_max(size - 1));
}

// With `around` positions more on both sides of each axis.
at::Tensor padded(const at::Tensor& x, const std::vector<int64_t>& around, Padding padding) {
  const auto axes = static_cast<int64_t>(around.size());
  bool once = true;
  for (int64_t axis = 0; axis < axes; ++axis) once &= around[static_cast<size_t>(axis)] < x.size(axis + 2);
  if (padding == Padding::Reflect && !once) {
    at::Tensor y = x;
    for (int64_t axis = 0; axis < axes; ++axis) y = mirrored(y, axis + 2, around[static_cast<size_t>(axis)]);
    return y;
  }
  std::vector<int64_t> sides;  // of the last axis first
  for (auto axis = around.rbegin(); axis != around.rend(); ++axis) sides.insert(sides.end(), 2, *axis);
  return at::pad(x, sides, padding == Padding::Reflect ? "reflect" : "replicate");
}

// Along one dimension, position p of the output from p / factor of the input, the last one repeated beyond.
at::Tensor linear_from_origin(const at::Tensor& x, int64_t dimension, int64_t factor) {
  if (factor == 1) return x;
  const int64_t last = x.size(dimension) - 1;
  const at::Tensor position = at::arange((last + 1) * factor, x.options().dtype(at::kDouble)) / factor;
  const at::Tensor below = position.floor().to(at::kLong), above = (below + 1).clamp_max(last);
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[static_cast<size_t>(dimension)] = position.size(0);
  const at::Tensor part = (position - below).to(x.scalar_type()).view(shape);
  const at::Tensor from = x.index_select(dimension, below);
  return from + part * (x.index_select(dimension, above) - from);
}

class Running {
 public:
  explicit Running(const NodeInputs& inputs) : in_(inputs) {}

  at::Tensor operator()(const Input&) const { return x(); }

  at::Tensor operator()(const Convolution& op) const {
    const at::Tensor weight = weight_at(0), kernel = op.transposed ? as_convolution(weight) : weight;
    Axes around;
    for (size_t axis = 0; axis < around.size(); ++axis)
      around[axis] = op.dilation[axis] * (op.kernel[axis] - 1) / 2;
    std::vector<int64_t> padding = of_image(around, x());
    at::Tensor image = x();
    if (op.padding != Padding::Zeros) {
      image = padded(image, padding, op.padding);
      std::fill(padding.begin(), padding.end(), 0);
    }
    const auto stride = of_image(op.stride, image), dilation = of_image(op.dilation, image);
    image = channels_last(image);
    return is_volume(image) ? at::conv3d(image, kernel, weight_at(1), stride, padding, dilation, op.groups)
                            : at::conv2d(image, kernel, weight_at(1), stride, padding, dilation, op.groups);
  }

  at::Tensor operator()(const BatchNorm& op) const {
    const std::vector<at::Tensor>& w = in_.weights;
    if (in_.mode == Mode::Training && in_.shared.ranks > 1)
      return shared_batch_norm(x(), w[0], w[1], w[2], w[3], op.momentum, op.eps, in_.shared);
    if (in_.mode == Mode::Evaluation && op.statistics == NormStatistics::Batch)
      return at::batch_norm(x(), w[0], w[1], {}, {}, true, 0, op.eps, false);
    return at::batch_norm(x(), w[0], w[1], w[2], w[3], in_.mode == Mode::Training, op.momentum, op.eps,
                          false);
  }

  at::Tensor operator()(const LeakyRelu& op) const {
    at::Tensor y = x();
    return in_.overwrites ? at::leaky_relu_(y, op.slope) : at::leaky_relu(y, op.slope);
  }
  at::Tensor operator()(const Elu& op) const { return at::elu(x(), op.alpha); }
  at::Tensor operator()(const Swish&) const { return at::silu(x()); }
  at::Tensor operator()(const Sigmoid&) const { return at::sigmoid(x()); }
  at::Tensor operator()(const Softmax&) const { return at::softmax(x(), 1); }

  at::Tensor operator()(const MaxPool& op) const {
    const auto kernel = of_image(op.kernel, x()), stride = of_image(op.stride, x()),
               padding = of_image(op.padding, x());
    return is_volume(x()) ? at::max_pool3d(x(), kernel, stride, padding)
                          : at::max_pool2d(x(), kernel, stride, padding);
  }
  at::Tensor operator()(const AveragePool& op) const {
    constexpr bool rounds_up = false, counts_padding = false;
    const auto kernel = of_image(op.kernel, x()), stride = of_image(op.stride, x()),
               padding = of_image(op.padding, x());
    return is_volume(x()) ? at::avg_pool3d(x(), kernel, stride, padding, rounds_up, counts_padding)
                          : at::avg_pool2d(x(), kernel, stride, padding, rounds_up, counts_padding);
  }

  at::Tensor operator()(const Upsample& op) const {
    std::vector<int64_t> size = x().sizes().slice(2).vec();
    const std::vector<int64_t> factor = of_image(op.factor, x());
    for (size_t axis = 0; axis < size.size(); ++axis) size[axis] *= factor[axis];
    if (op.interpolation == Interpolation::Nearest)
      return is_volume(x()) ? at::upsample_nearest3d(x(), size) : at::upsample_nearest2d(x(), size);
    if (op.grids != Grids::Origins) {
      const bool corners = op.grids == Grids::Corners;
      return is_volume(x()) ? at::upsample_trilinear3d(x(), size, corners)
                            : at::upsample_bilinear2d(x(), size, corners);
    }
    at::Tensor y = x();
    for (size_t axis = 0; axis < factor.size(); ++axis)
      y = linear_from_origin(y, static_cast<int64_t>(axis) + 2, factor[axis]);
    return y;
  }

  at::Tensor operator()(const Concat&) const { return at::cat(in_.values, 1); }

  at::Tensor operator()(const Add&) const {
    at::Tensor sum = x();
    for (size_t i = 1; i < in_.values.size(); ++i) sum = sum + in_.values[i];
    return sum;
  }

  at::Tensor operator()(const Dense& op) const {
    if (x().size(2) != op.side || x().size(3) != op.side)
      throw Error(
          fmt::format("a dense layer reads {0}x{0} pixels, not {1}x{2}", op.side, x().size(2), x().size(3)),
          "give it images of the size that it was made for");
    return at::linear(x().flatten(1), weight_at(0), weight_at(1)).unsqueeze(2).unsqueeze(3);
  }

 private:
  const at::Tensor& x() const { return in_.values[0]; }
  at::Tensor weight_at(size_t i) const { return in_.weights[i].to(x().scalar_type()); }

  const NodeInputs& in_;
};

}  // namespace

at::Tensor run_operation(const Operation& operation, const NodeInputs& inputs) {
  return std::visit(Running(inputs), operation);
}

}  // namespace lucivox
