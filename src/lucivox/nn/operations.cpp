#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/overload.h>
#include <lucivox/nn/operations.h>

namespace lucivox {
namespace {

// Larger than any network here by far; keeps a hostile model file from asking for the moon.
constexpr int64_t kMaxChannels = 1 << 16;
constexpr int64_t kMaxKernel = 255, kMaxStride = 16, kMaxDilation = 1024, kMaxSide = 1 << 12;

std::array<double, 3> as_doubles(const Axes& axes) {
  return {static_cast<double>(axes[0]), static_cast<double>(axes[1]), static_cast<double>(axes[2])};
}

bool all_within(const Axes& axes, int64_t low, int64_t high) {
  return std::all_of(axes.begin(), axes.end(), [&](int64_t value) { return value >= low && value <= high; });
}

int64_t product(const Axes& axes) {
  return axes[0] * axes[1] * axes[2];
}

template <typename Along>
std::array<double, 3> each_axis(const Along& along) {
  return {static_cast<double>(along(0)), static_cast<double>(along(1)), static_cast<double>(along(2))};
}

template <typename Pool>
Facts facts_of_pool(const Pool& op) {
  return {.reduction = as_doubles(op.stride),
          .reach = each_axis([&](size_t axis) { return op.kernel[axis] - 1 - op.padding[axis]; })};
}

// Throws unless an operation fits what it reads; gives the channels of its output.
class Fitting {
 public:
  explicit Fitting(const Reading& reading) : reading_(reading) {}

  int64_t operator()(const Input& op) const {
    require(reading_.channels.empty(), "the input reads nothing");
    return op.channels;
  }

  int64_t operator()(const Convolution& op) const {
    require_channels(op.in);
    require_axes(op.kernel, 1, kMaxKernel, "kernel");
    for (const int64_t along : op.kernel) require(along % 2 == 1, "kernel must be odd");
    require_axes(op.stride, 1, kMaxStride, "stride");
    require(op.stride == kOnes || !op.transposed, "stride out of range");
    require_axes(op.dilation, 1, kMaxDilation, "dilation");
    require(op.groups > 0 && op.in % op.groups == 0 && op.out % op.groups == 0 &&
                (op.groups == 1 || !op.transposed),
            "groups do not divide its channels");
    return op.out;
  }

  int64_t operator()(const BatchNorm& op) const {
    require_channels(op.channels);
    require(op.eps > 0 && op.momentum >= 0 && op.momentum <= 1, "eps or momentum out of range");
    return op.channels;
  }

  int64_t operator()(const LeakyRelu&) const { return of_one(); }
  int64_t operator()(const Elu&) const { return of_one(); }
  int64_t operator()(const Swish&) const { return of_one(); }
  int64_t operator()(const Sigmoid&) const { return of_one(); }
  int64_t operator()(const Softmax&) const { return of_one(); }
  int64_t operator()(const MaxPool& op) const { return of_pool(op); }
  int64_t operator()(const AveragePool& op) const { return of_pool(op); }

  int64_t operator()(const Upsample& op) const {
    require_axes(op.factor, 1, kMaxStride, "factor");
    require(product(op.factor) > 1, "factor out of range");
    return of_one();
  }

  int64_t operator()(const Concat&) const {
    require_some();
    return std::accumulate(reading_.channels.begin(), reading_.channels.end(), int64_t{0});
  }

  int64_t operator()(const Add&) const {
    require_some();
    for (const int64_t channels : reading_.channels)
      require(channels == reading_.channels[0], "adds images of different channels");
    return reading_.channels[0];
  }

  int64_t operator()(const Dense& op) const {
    require_channels(op.channels);
    require(op.side > 0 && op.side <= kMaxSide, "side out of range");
    require(reading_.dimensions == 2, "dense layers read images of two dimensions");
    return op.out;
  }

  void require(bool sound, const std::string& what) const {
    if (!sound)
      throw Error(fmt::format("network node '{}': {}", reading_.node, what),
                  "the model file is damaged or made by hand");
  }

 private:
  int64_t of_one() const {
    require(reading_.channels.size() == 1, fmt::format("has {} inputs", reading_.channels.size()));
    return reading_.channels[0];
  }

  template <typename Pool>
  int64_t of_pool(const Pool& op) const {
    require_axes(op.kernel, 1, kMaxKernel, "pooling");
    require_axes(op.stride, 1, kMaxStride, "pooling");
    for (size_t axis = 0; axis < 3; ++axis)
      require(op.padding[axis] >= 0 && op.padding[axis] <= op.kernel[axis] / 2, "pooling out of range");
    return of_one();
  }

  void require_some() const { require(!reading_.channels.empty(), "has 0 inputs"); }

  void require_channels(int64_t expected) const {
    const int64_t got = of_one();
    require(expected == got, fmt::format("expects {} channels, its input has {}", expected, got));
  }

  void require_axes(const Axes& axes, int64_t low, int64_t high, const std::string& what) const {
    require(all_within(axes, low, high) && (reading_.dimensions == 3 || axes[0] == 1),
            what + " out of range");
  }

  const Reading& reading_;
};

}  // namespace

int64_t output_channels(const Operation& operation, const Reading& reading) {
  const Fitting fitting(reading);
  const int64_t channels = std::visit(fitting, operation);
  fitting.require(channels > 0 && channels <= kMaxChannels, fmt::format("{} channels", channels));
  return channels;
}

Facts facts_of(const Operation& operation, int64_t dimensions) {
  Facts nothing, activation{.takes_no_image = true};
  return std::visit(
      Overload{
          [&](const Convolution& op) {
            std::vector<int64_t> shape{op.out, op.in / op.groups};
            if (op.transposed) std::swap(shape[0], shape[1]);
            const int64_t read = op.in / op.groups * product(op.kernel);
            shape.insert(shape.end(), op.kernel.begin() + (dimensions == 3 ? 0 : 1), op.kernel.end());
            return Facts{
                .reduction = as_doubles(op.stride),
                .reach = each_axis([&](size_t a) { return op.dilation[a] * (op.kernel[a] - 1) / 2; }),
                .flops = 2 * static_cast<double>(read * op.out),
                .weights = {{"weight", shape}, {"bias", {op.out}}}};
          },
          [](const BatchNorm& op) {
            return Facts{.weights = {{"weight", {op.channels}},
                                     {"bias", {op.channels}},
                                     {"running_mean", {op.channels}, false},
                                     {"running_var", {op.channels}, false}}};
          },
          [](const MaxPool& op) { return facts_of_pool(op); },
          [](const AveragePool& op) { return facts_of_pool(op); },
          [](const Upsample& op) {
            const auto factor = as_doubles(op.factor);
            return Facts{.reduction = {1 / factor[0], 1 / factor[1], 1 / factor[2]},
                         .reach = each_axis([&](size_t a) { return op.factor[a] > 1 ? 1 : 0; })};
          },
          [](const Dense& op) {
            const int64_t read = op.channels * op.side * op.side;
            return Facts{.flops = 2 * static_cast<double>(read * op.out),
                         .takes_no_image = true,
                         .weights = {{"weight", {op.out, read}}, {"bias", {op.out}}}};
          },
          [&](const LeakyRelu&) { return activation; },
          [&](const Elu&) { return activation; },
          [&](const Swish&) { return activation; },
          [&](const Sigmoid&) { return activation; },
          [&](const Softmax&) { return activation; },
          [&](const Input&) { return nothing; },
          [&](const Concat&) { return nothing; },
          [&](const Add&) { return nothing; },
      },
      operation);
}

}  // namespace lucivox
