#include <algorithm>
#include <utility>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/from_blob.h>

#include <lucivox/base/parallel.h>
#include <lucivox/exec/layers_backward.h>
#include <lucivox/kernels/cpu/activation.h>
#include <lucivox/kernels/cpu/convolution.h>
#include <lucivox/kernels/cpu/resample.h>
#include <lucivox/kernels/cpu/weight_gradient.h>

namespace lucivox {
namespace {

at::Tensor as_tensor(const double* values, int64_t count) {
  const at::Tensor tensor = at::empty({count}, at::kFloat);
  std::transform(values, values + count, tensor.mutable_data_ptr<float>(),
                 [](double value) { return static_cast<float>(value); });
  return tensor;
}

// The gradients of the outputs, buffer by buffer. A piece of a buffer is complete when all that read it have
// added theirs; then it is taken through the activation that made it.
class OutputGradients {
 public:
  explicit OutputGradients(const LayersRecord& record) : record_(record), buffers_(record.buffers.size()) {
    for (const int64_t channels : record.layers->buffer_channels)
      channels_.emplace_back(static_cast<size_t>(channels));
    for (const Step& step : record.layers->steps) std::visit([&](const auto& one) { expect(one); }, step);
    over_channels(record.layers->body.output(), [](Channel& channel) { ++channel.to_come; });
  }

  cpu::Pixels<float> of(NodeId id) { return pixels_at(buffer(id), record_.place(id)); }
  // [N, H, W, channels].
  at::Tensor tensor_of(NodeId id) {
    return buffer(id).narrow(3, record_.place(id).first, record_.place(id).channels);
  }

  // How a reader adds its gradient of a node: to what is written already (1 or 0), and multiplied by the
  // activation's slope where this completes it, else by 1; of each channel.
  struct Contribution {
    std::vector<float> kept, slope;
  };
  Contribution contribute(NodeId id) {
    Contribution c;
    over_channels(id, [&](Channel& channel) {
      --channel.to_come;
      c.kept.push_back(channel.written ? 1.0F : 0.0F);
      c.slope.push_back(channel.to_come == 0 ? channel.slope : 1.0F);
      channel.written = true;
    });
    return c;
  }

  // The gradient of the network's output, which nothing else reads.
  void begin(const at::Tensor& gradient_nhwc) {
    const NodeId id = record_.layers->body.output();
    const Contribution c = contribute(id);
    tensor_of(id).copy_(gradient_nhwc);
    cpu::activation_gradient(record_.activations(id), c.slope.data(), of(id));
  }

 private:
  struct Channel {
    int to_come = 0;
    bool written = false;
    float slope = 1;
  };

  const at::Tensor& buffer(NodeId id) {
    const size_t at = record_.buffer_at(id);
    if (!buffers_[at].defined()) buffers_[at] = at::empty_like(record_.buffers[at]);
    return buffers_[at];
  }

  template <typename Body>
  void over_channels(NodeId id, const Body& body) {
    const Place& place = record_.place(id);
    auto channel = channels_[record_.buffer_at(id)].begin() + place.first;
    std::for_each(channel, channel + place.channels, body);
  }

  void expect(const Layer& layer) {
    over_channels(layer.input, [](Channel& channel) { ++channel.to_come; });
    const float slope = record_.slope(layer);
    over_channels(layer.output(), [=](Channel& channel) { channel.slope = slope; });
  }
  void expect(const Resampling& step) {
    over_channels(step.input, [](Channel& channel) { ++channel.to_come; });
  }

  const LayersRecord& record_;
  std::vector<at::Tensor> buffers_;
  std::vector<std::vector<Channel>> channels_;  // of each buffer
};

class Backward {
 public:
  Backward(const LayersRecord& record, const NodeWeights& weights, const std::vector<bool>& wanted,
           std::vector<at::Tensor>& gradients)
      : record_(record), weights_(weights), wanted_(wanted), gradients_(gradients), outputs_(record) {}

  void run(const at::Tensor& dy) {
    outputs_.begin(dy.permute({0, 2, 3, 1}));
    const auto& steps = record_.layers->steps;
    for (size_t s = steps.size(); s-- > 0;) {
      std::visit([&](const auto& step) { run(s, step); }, steps[s]);
    }
    if (needed(0)) gradients_[0] = outputs_.tensor_of(0).permute({0, 3, 1, 2});
  }

 private:
  bool needed(NodeId id) const { return id != 0 || wanted_[0]; }
  size_t gradient_of(NodeId node, size_t i) const {
    return 1 + weights_.first[static_cast<size_t>(node)] + i;
  }
  void give(NodeId node, size_t i, const at::Tensor& gradient) {
    gradients_[gradient_of(node, i)] = gradient;
  }

  cpu::Arrival arrival(NodeId id, const OutputGradients::Contribution& contribution) const {
    return {record_.activations(id), contribution.kept.data(), contribution.slope.data()};
  }

  void run(size_t s, const Resampling& step) {
    if (!needed(step.input)) return;
    const auto contribution = outputs_.contribute(step.input);
    const cpu::Arrival to = arrival(step.input, contribution);
    const cpu::Pixels<const float> dy = cpu::as_const(outputs_.of(step.output));
    const cpu::Pixels<float> dx = outputs_.of(step.input);
    const Operation& operation = record_.layers->body.node(step.output).operation;
    if (const auto* pool = std::get_if<MaxPool>(&operation)) {
      cpu::max_pool_gradient(dy, pooling_of(*pool), record_.winners[s].const_data_ptr<float>(), to, dx);
    } else {
      cpu::upsample_gradient(dy, grids_of(std::get<Upsample>(operation)), to, dx);
    }
  }

  // dx = from_dn dn + from_x (x - mean) + shift, of each channel. Those of a layer without batch norm:
  struct InputTerms {
    explicit InputTerms(int64_t channels)
        : mean(static_cast<size_t>(channels)), from_dn(mean.size(), 1), from_x(mean), shift(mean) {}

    std::vector<float> mean, from_dn, from_x, shift;
  };

  void run(size_t s, const Layer& layer) {
    InputTerms terms(record_.convolution(layer).in);
    if (layer.norm || wanted_[gradient_of(layer.convolution, 0)]) run_weights(s, layer, terms);
    if (needed(layer.input)) propagate(layer, terms);
  }

  // `terms` are those of a layer without batch norm, and become this one's.
  void run_weights(size_t s, const Layer& layer, InputTerms& terms) {
    const Convolution& conv = record_.convolution(layer);
    const cpu::Pixels<const float> x = record_.activations(layer.input),
                                   dy = cpu::as_const(outputs_.of(layer.output()));
    const int64_t k = conv.side();
    std::vector<double> taps(static_cast<size_t>(k * k * conv.out));  // [k, k, out]
    cpu::tap_sums(x, dy, k, conv.step(), taps.data());
    give(layer.convolution, 1, as_tensor(taps.data() + k * k / 2 * conv.out, conv.out));

    const at::Tensor dw = at::empty({k, k, conv.in, conv.out}, at::kFloat);
    cpu::Normalisation norm{};
    std::vector<float> r;
    if (layer.norm) {
      const Statistics& of = record_.statistics[s];
      r.assign(of.r.begin(), of.r.end());
      terms.mean.assign(of.mean.begin(), of.mean.end());
      norm = {terms.mean.data(), r.data(), terms.shift.data()};
    }
    cpu::weight_gradient(x, norm, dy, k, conv.step(), dw.mutable_data_ptr<float>());
    const std::vector<double> sums = give_weights(layer, taps, dw);
    if (layer.norm) terms_of_norm(layer, record_.statistics[s], x.count(), sums, terms);
  }

  // The layer is linear in its normalised input n = weight xhat + bias, so all that batch norm's backward
  // pass sums over pixels follows from the gradients of the filters for xhat, dw [k, k, in, out], and for an
  // input of ones (inside the image), taps [k, k, out]:
  //   sum(dn xhat) = <W, dw>,   sum(dn) = <W, taps>,   dW = weight dw + bias taps.
  // Gives dW, and the sums of each channel, [2, in].
  std::vector<double> give_weights(const Layer& layer, const std::vector<double>& taps,
                                   const at::Tensor& dw) {
    const at::Tensor& weight = weights_.of(layer.convolution, 0);
    const cpu::Filters filters =
        filters_of(weights_.values(layer.convolution, 0), record_.convolution(layer));
    const at::Tensor gradient = at::empty(weight.sizes(), at::kFloat);
    const float* from = dw.const_data_ptr<float>();
    float* to = gradient.mutable_data_ptr<float>() + (filters.weight - weight.const_data_ptr<float>());
    const float *scale = layer.norm ? weights_.values(*layer.norm, 0) : nullptr,
                *shift = layer.norm ? weights_.values(*layer.norm, 1) : nullptr;
    std::vector<double> sums(static_cast<size_t>(2 * filters.in));
    parallel_for(0, filters.in, [&](int64_t i) {
      double dn_xhat = 0, dn = 0;
      for (int64_t tap = 0; tap < filters.kernel * filters.kernel; ++tap) {
        for (int64_t o = 0; o < filters.out; ++o) {
          const int64_t at = filters.at(tap, i, o);
          const float d = from[(tap * filters.in + i) * filters.out + o];
          const double w = static_cast<double>(filters.weight[at]),
                       of_tap = taps[static_cast<size_t>(tap * filters.out + o)];
          dn_xhat += w * static_cast<double>(d);
          dn += w * of_tap;
          to[at] = scale == nullptr ? d : scale[i] * d + shift[i] * static_cast<float>(of_tap);
        }
      }
      sums[static_cast<size_t>(i)] = dn_xhat;
      sums[static_cast<size_t>(filters.in + i)] = dn;
    });
    give(layer.convolution, 0, gradient);
    return sums;
  }

  // With M pixels, of all ranks: dx = weight r (dn - sum(dn) / M - xhat sum(dn xhat) / M); of running
  // statistics, which are constants, only the first term is left.
  void terms_of_norm(const Layer& layer, const Statistics& of, int64_t pixels, std::vector<double> sums,
                     InputTerms& terms) {
    const auto channels = of.mean.size();
    give(*layer.norm, 0, as_tensor(sums.data(), std::ssize(of.mean)));
    give(*layer.norm, 1, as_tensor(sums.data() + channels, std::ssize(of.mean)));
    const bool constant = !record_.by_batch(*layer.norm);
    if (!constant && record_.shared.ranks > 1)
      record_.shared.sum(at::from_blob(sums.data(), {std::ssize(sums)}, at::kDouble));
    const double share = constant ? 0 : -1 / static_cast<double>(pixels * record_.shared.ranks);
    const float* weight = weights_.values(*layer.norm, 0);
    for (size_t c = 0; c < channels; ++c) {
      const double scale = of.r[c] * static_cast<double>(weight[c]);
      terms.from_dn[c] = static_cast<float>(scale);
      terms.from_x[c] = static_cast<float>(scale * of.r[c] * sums[c] * share);
      terms.shift[c] = static_cast<float>(scale * sums[channels + c] * share);
    }
  }

  void propagate(const Layer& layer, const InputTerms& terms) {
    const cpu::Filters filters =
        filters_of(weights_.values(layer.convolution, 0), record_.convolution(layer));
    const auto contribution = outputs_.contribute(layer.input);
    cpu::convolution_gradient(cpu::as_const(outputs_.of(layer.output())), filters,
                              {terms.mean.data(), terms.from_dn.data(), terms.from_x.data(),
                               terms.shift.data(), arrival(layer.input, contribution)},
                              outputs_.of(layer.input));
  }

  const LayersRecord& record_;
  const NodeWeights& weights_;
  const std::vector<bool>& wanted_;
  std::vector<at::Tensor>& gradients_;
  OutputGradients outputs_;
};

}  // namespace

void run_backward(const LayersRecord& record, const NodeWeights& weights, const at::Tensor& output_gradient,
                  const std::vector<bool>& wanted, std::vector<at::Tensor>& gradients) {
  Backward(record, weights, wanted, gradients).run(output_gradient);
}

}  // namespace lucivox
