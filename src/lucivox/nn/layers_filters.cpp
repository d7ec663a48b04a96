#include <algorithm>

#include <ATen/ops/empty.h>

#include <lucivox/base/parallel.h>
#include <lucivox/nn/layers_filters.h>

namespace lucivox {
namespace {

constexpr int64_t kColumns = 16;  // written together: a cache line

// A weight seen as a matrix of in or out channels for each tap: its element (tap, row, column) lies at
// tap + row * row_stride + column * column_stride, taps from the last one on where `turned`.
struct ByTaps {
  int64_t taps, rows, columns, row_stride, column_stride;
  bool turned;

  int64_t at(int64_t tap, int64_t row, int64_t column) const {
    return (turned ? taps - 1 - tap : tap) + row * row_stride + column * column_stride;
  }
  ByTaps backwards() const { return {taps, columns, rows, column_stride, row_stride, !turned}; }
};

ByTaps forwards(const Convolution& conv) {
  const int64_t taps = conv.kernel * conv.kernel;
  return conv.transposed ? ByTaps{taps, conv.in, conv.out, conv.out * taps, taps, true}
                         : ByTaps{taps, conv.in, conv.out, taps, conv.in * taps, false};
}

// Calls body(place in the weight, place in [taps][rows][columns]) for every element, near ones together.
template <typename Body>
void over_elements(const ByTaps& weight, const Body& body) {
  parallel_for(0, (weight.columns + kColumns - 1) / kColumns, [&](int64_t group) {
    const int64_t begin = group * kColumns, end = std::min(begin + kColumns, weight.columns);
    for (int64_t row = 0; row < weight.rows; ++row) {
      for (int64_t tap = 0; tap < weight.taps; ++tap) {
        for (int64_t column = begin; column < end; ++column)
          body(weight.at(tap, row, column), (tap * weight.rows + row) * weight.columns + column);
      }
    }
  });
}

at::Tensor by_taps(const at::Tensor& weight, const Convolution& conv, const ByTaps& order) {
  const at::Tensor whole = weight.contiguous(),
                   filters = at::empty({conv.kernel, conv.kernel, order.rows, order.columns}, at::kFloat);
  const float* from = whole.const_data_ptr<float>();
  float* to = filters.mutable_data_ptr<float>();
  over_elements(order, [=](int64_t in_weight, int64_t in_filters) { to[in_filters] = from[in_weight]; });
  return filters;
}

}  // namespace

at::Tensor filters_of(const at::Tensor& weight, const Convolution& conv) {
  return by_taps(weight, conv, forwards(conv));
}

at::Tensor turned_filters_of(const at::Tensor& weight, const Convolution& conv) {
  return by_taps(weight, conv, forwards(conv).backwards());
}

at::Tensor weight_of(const at::Tensor& filters, const Convolution& conv) {
  const int64_t first = conv.transposed ? conv.in : conv.out, second = conv.transposed ? conv.out : conv.in;
  const at::Tensor weight = at::empty({first, second, conv.kernel, conv.kernel}, at::kFloat);
  const float* from = filters.const_data_ptr<float>();
  float* to = weight.mutable_data_ptr<float>();
  over_elements(forwards(conv),
                [=](int64_t in_weight, int64_t in_filters) { to[in_weight] = from[in_filters]; });
  return weight;
}

}  // namespace lucivox
