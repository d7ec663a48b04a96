#pragma once

#include <memory>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/exec/layers.h>
#include <lucivox/exec/layers_run.h>
#include <lucivox/exec/network.h>
#include <lucivox/kernels/cpu/convolution.h>
#include <lucivox/kernels/cpu/pixels.h>
#include <lucivox/kernels/cpu/resample.h>

namespace lucivox {

// What the two passes of layers_run.h share.

// The channels of a buffer, [N, H, W, channels] and contiguous, that a node's output takes.
inline cpu::Pixels<float> pixels_at(const at::Tensor& buffer, const Place& place) {
  return {buffer.mutable_data_ptr<float>() + place.first,
          buffer.size(0),
          buffer.size(1),
          buffer.size(2),
          place.channels,
          buffer.size(3)};
}
// Weights [out, in, k, k], or [in, out, k, k] of a transposed convolution, which at stride 1 is the ordinary
// one with its kernel turned.
inline cpu::Filters filters_of(const float* weight, const Convolution& conv) {
  return conv.transposed ? cpu::filters_of(weight, conv.out, conv.in, conv.side(), conv.step()).turned()
                         : cpu::filters_of(weight, conv.in, conv.out, conv.side(), conv.step());
}
inline cpu::Grids grids_of(const Upsample& up) {
  return up.grids == Grids::Corners ? cpu::Grids::AlignedCorners : cpu::Grids::HalfPixels;
}
inline cpu::Pooling pooling_of(const MaxPool& pool) {
  return {pool.kernel[2], pool.stride[2], pool.padding[2]};
}

// Mean and 1 / standard deviation of each channel by which a layer normalised.
struct Statistics {
  std::vector<double> mean, r;
};

// What the backward pass needs of the forward one.
struct LayersRecord {
  std::shared_ptr<const Layers> layers;
  Mode mode;
  SharedStatistics shared;
  std::vector<at::Tensor> buffers;     // [N, H, W, channels], contiguous
  std::vector<Statistics> statistics;  // of each step; empty where nothing is normalised
  std::vector<at::Tensor> winners;     // of each step that is a max-pool: which input was the largest

  const Place& place(NodeId id) const { return layers->places[static_cast<size_t>(id)]; }
  size_t buffer_at(NodeId id) const { return static_cast<size_t>(place(id).buffer); }
  cpu::Pixels<const float> activations(NodeId id) const {
    return cpu::as_const(pixels_at(buffers[buffer_at(id)], place(id)));
  }

  template <typename Kind>
  const Kind& operation(NodeId id) const {
    return std::get<Kind>(layers->body.node(id).operation);
  }
  const Convolution& convolution(const Layer& layer) const {
    return operation<Convolution>(layer.convolution);
  }
  // Whether a batch norm normalises by the statistics of what it reads.
  bool by_batch(NodeId norm) const {
    return mode == Mode::Training || operation<BatchNorm>(norm).statistics == NormStatistics::Batch;
  }
  float slope(const Layer& layer) const {
    return layer.activation ? static_cast<float>(operation<LeakyRelu>(*layer.activation).slope) : 1.0F;
  }
};

}  // namespace lucivox
