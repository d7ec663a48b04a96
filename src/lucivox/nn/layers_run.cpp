#include <torch/csrc/autograd/functions/utils.h>
#include <torch/torch.h>

#include <lucivox/base/error.h>
#include <lucivox/kernels/cpu/activation.h>
#include <lucivox/kernels/cpu/convolution.h>
#include <lucivox/kernels/cpu/moments.h>
#include <lucivox/kernels/cpu/resample.h>
#include <lucivox/kernels/cpu/weight_gradient.h>
#include <lucivox/nn/layers_run.h>

namespace lucivox {
namespace {

using torch::autograd::variable_list;

// ---- what both directions share

// Buffers are [N, H, W, channels], contiguous.
at::Tensor slice(const at::Tensor& buffer, const Place& place) {
  return buffer.narrow(3, place.first, place.channels);
}
at::Tensor as_nchw(const at::Tensor& x) {
  return x.permute({0, 3, 1, 2});
}

cpu::Pixels<float> pixels(const at::Tensor& nhwc) {
  return {
      nhwc.mutable_data_ptr<float>(), nhwc.size(0), nhwc.size(1), nhwc.size(2), nhwc.size(3), nhwc.stride(2)};
}
cpu::Pixels<const float> const_pixels(const at::Tensor& nhwc) {
  return {
      nhwc.const_data_ptr<float>(), nhwc.size(0), nhwc.size(1), nhwc.size(2), nhwc.size(3), nhwc.stride(2)};
}

const Convolution& convolution_of(const Graph& graph, const Layer& layer) {
  return std::get<Convolution>(graph.node(layer.convolution).operation);
}
double slope_of(const Graph& graph, const Layer& layer) {
  return layer.activation ? std::get<LeakyRelu>(graph.node(*layer.activation).operation).slope : 1;
}

// Weights [out, in, k, k] as the kernels read them, [k, k, in, out], and back. At stride 1 a transposed
// convolution, [in, out, k, k], is the ordinary one with its kernel turned.
at::Tensor filters_of(const at::Tensor& weight, const Convolution& conv) {
  return conv.transposed ? weight.flip({2, 3}).permute({2, 3, 0, 1}).contiguous()
                         : weight.permute({2, 3, 1, 0}).contiguous();
}
at::Tensor weight_of(const at::Tensor& filters, const Convolution& conv) {
  return conv.transposed ? filters.flip({0, 1}).permute({2, 3, 0, 1}).contiguous()
                         : filters.permute({3, 2, 0, 1}).contiguous();
}

cpu::Grids grids_of(const Upsample& up) {
  return up.align_corners ? cpu::Grids::AlignedCorners : cpu::Grids::HalfPixels;
}

cpu::Pooling pooling_of(const MaxPool& pool) {
  return {pool.kernel, pool.stride, pool.padding};
}

// Mean and 1 / standard deviation by which a layer normalised, float64 [channels].
struct Statistics {
  at::Tensor mean, r;
};

// What the backward pass needs of the forward one.
struct Record {
  const Layers* layers;
  Mode mode;
  SharedStatistics shared;
  std::vector<at::Tensor> buffers;
  std::vector<Statistics> statistics;  // of each step; undefined where nothing is normalised
  std::vector<at::Tensor> winners;     // of each step that is a max-pool: which input was the largest
};

// ---- forward

NodeId input_of(const Step& step) {
  return std::visit([](const auto& one) { return one.input; }, step);
}

class Forward {
 public:
  // Without `keeps`, every buffer goes when all have read it, and no record is left.
  Forward(const Layers& layers, const NodeWeights& weights, Mode mode, const SharedStatistics& shared,
          bool keeps)
      : weights_(weights), keeps_(keeps), moments_(layers.buffer_channels.size()) {
    record_ = {&layers, mode, shared, {}, {}, {}};
    last_reader_.resize(layers.buffer_channels.size());
    for (size_t s = 0; s < layers.steps.size(); ++s) last_reader_[buffer_at(input_of(layers.steps[s]))] = s;
    record_.buffers.resize(layers.buffer_channels.size());
    record_.statistics.resize(layers.steps.size());
    record_.winners.resize(layers.steps.size());
  }

  at::Tensor run(const at::Tensor& x) {
    const at::Tensor input = output_slice(0, x.size(0), x.size(2), x.size(3));
    input.copy_(x.permute({0, 2, 3, 1}));
    take_moments(0);
    for (size_t s = 0; s < steps().size(); ++s) {
      std::visit([&](const auto& step) { run(s, step); }, steps()[s]);
      if (!keeps_) forget_what_was_read(s);
    }
    return as_nchw(slice_of(record_.layers->body.output())).clone(at::MemoryFormat::Contiguous);
  }

  Record record() && { return std::move(record_); }

 private:
  const std::vector<Step>& steps() const { return record_.layers->steps; }
  const Place& place(NodeId id) const { return record_.layers->places[static_cast<size_t>(id)]; }
  size_t buffer_at(NodeId id) const { return static_cast<size_t>(place(id).buffer); }
  at::Tensor& buffer(NodeId id) { return record_.buffers[buffer_at(id)]; }
  at::Tensor slice_of(NodeId id) { return slice(buffer(id), place(id)); }

  void forget_what_was_read(size_t s) {
    record_.winners[s].reset();
    const NodeId read = input_of(steps()[s]);
    if (last_reader_[buffer_at(read)] == s && buffer_at(read) != buffer_at(record_.layers->body.output()))
      buffer(read).reset();
  }

  // The slice that a node of that size writes; the first one of a buffer makes the buffer.
  at::Tensor output_slice(NodeId id, int64_t images, int64_t rows, int64_t columns) {
    if (!buffer(id).defined()) {
      const size_t at = buffer_at(id);
      const int64_t channels = record_.layers->buffer_channels[at];
      buffer(id) = at::empty({images, rows, columns, channels}, at::kFloat);
      moments_[at] = at::empty({2, channels}, at::kDouble);
    }
    return slice_of(id);
  }

  // [2, channels]: mean and variance of each channel of a node's output.
  at::Tensor moments(NodeId id) {
    return moments_[buffer_at(id)].narrow(1, place(id).first, place(id).channels);
  }

  void take_moments(NodeId id) {
    if (record_.mode != Mode::Training) return;
    const at::Tensor of = moments(id);
    cpu::moments(const_pixels(slice_of(id)), of[0].mutable_data_ptr<double>(),
                 of[1].mutable_data_ptr<double>());
    share(of);
  }

  // Mean and variance of all ranks' pixels from those of each, which are equally many.
  void share(const at::Tensor& of) {
    if (record_.mode != Mode::Training || record_.shared.ranks == 1) return;
    const at::Tensor means = at::stack({of[0], of[1] + of[0].square()});
    record_.shared.sum(means);
    means.div_(static_cast<double>(record_.shared.ranks));
    of[0].copy_(means[0]);
    of[1].copy_((means[1] - means[0].square()).clamp_min(0));
  }

  void run(size_t s, const Resampling& step) {
    const at::Tensor x = slice_of(step.input);
    const Operation& op = record_.layers->body.node(step.output).operation;
    if (const auto* pool = std::get_if<MaxPool>(&op)) {
      const auto pooled = [&](int64_t side) {
        return (side + 2 * pool->padding - pool->kernel) / pool->stride + 1;
      };
      const at::Tensor y = output_slice(step.output, x.size(0), pooled(x.size(1)), pooled(x.size(2)));
      record_.winners[s] = at::empty(y.sizes(), at::kFloat);
      cpu::max_pool(const_pixels(x), pooling_of(*pool), pixels(y),
                    record_.winners[s].mutable_data_ptr<float>());
    } else {
      const auto& up = std::get<Upsample>(op);
      cpu::upsample(
          const_pixels(x), grids_of(up),
          pixels(output_slice(step.output, x.size(0), x.size(1) * up.factor, x.size(2) * up.factor)));
    }
    take_moments(step.output);
  }

  void run(size_t s, const Layer& layer) {
    const Convolution& conv = convolution_of(record_.layers->body, layer);
    const at::Tensor x = slice_of(layer.input), filters = filters_of(weights_.of(layer.convolution, 0), conv),
                     &bias = weights_.of(layer.convolution, 1);
    const double slope = slope_of(record_.layers->body, layer);
    at::Tensor mean, scale, shift, origin = bias;
    cpu::Normalisation norm{};
    if (layer.norm) {
      const Statistics& of = record_.statistics[s] =
          statistics(*layer.norm, layer.input, x.numel() / x.size(3));
      mean = of.mean.to(at::kFloat);
      scale = (of.r * weights_.of(*layer.norm, 0)).to(at::kFloat);
      shift = weights_.of(*layer.norm, 1).contiguous();
      // what the layer makes of its mean input is near the mean of what it makes
      origin = bias + at::matmul(shift, filters.sum(at::IntArrayRef{0, 1}));
      norm = {mean.const_data_ptr<float>(), scale.const_data_ptr<float>(), shift.const_data_ptr<float>()};
    }
    origin = at::leaky_relu(origin, slope);
    const auto strided = [&](int64_t side) { return (side - 1) / conv.stride + 1; };
    const at::Tensor y = output_slice(layer.output(), x.size(0), strided(x.size(1)), strided(x.size(2)));
    const at::Tensor sums = at::empty({2, conv.out}, at::kDouble);
    cpu::convolution(const_pixels(x), norm,
                     {filters.const_data_ptr<float>(), conv.in, conv.out, conv.kernel, conv.stride},
                     {bias.const_data_ptr<float>(), static_cast<float>(slope), origin.const_data_ptr<float>(),
                      sums[0].mutable_data_ptr<double>(), sums[1].mutable_data_ptr<double>()},
                     pixels(y));
    const int64_t count = y.numel() / y.size(3);
    keep_moments(layer.output(), origin, sums / count);
  }

  void keep_moments(NodeId id, const at::Tensor& origin, const at::Tensor& mean_of) {
    const at::Tensor of = moments(id);
    of[0].copy_(origin + mean_of[0]);
    of[1].copy_((mean_of[1] - mean_of[0] * mean_of[0]).clamp_min(0));
    share(of);
  }

  Statistics statistics(NodeId norm, NodeId input, int64_t count) {
    const auto& options = std::get<BatchNorm>(record_.layers->body.node(norm).operation);
    const at::Tensor &running_mean = weights_.of(norm, 2), &running_var = weights_.of(norm, 3);
    if (record_.mode == Mode::Evaluation) {
      return {running_mean.to(at::kDouble), (running_var.to(at::kDouble) + options.eps).rsqrt()};
    }
    const at::Tensor of = moments(input), mean = of[0], variance = of[1];
    const int64_t all = count * record_.shared.ranks;
    const double unbiased = static_cast<double>(all) / static_cast<double>(std::max<int64_t>(1, all - 1));
    running_mean.mul_(1 - options.momentum).add_(mean, options.momentum);
    running_var.mul_(1 - options.momentum).add_(variance, options.momentum * unbiased);
    return {mean.clone(), (variance + options.eps).rsqrt()};
  }

  const NodeWeights& weights_;
  const bool keeps_;
  Record record_;
  std::vector<size_t> last_reader_;  // of each buffer
  std::vector<at::Tensor> moments_;  // of each buffer, float64 [2, channels]: mean, variance
};

// ---- backward

// The gradients of the outputs, buffer by buffer. A piece of a buffer is complete when all that read it have
// added theirs; then it is taken through the activation that made it.
class OutputGradients {
 public:
  OutputGradients(const Record& record) : record_(record), buffers_(record.buffers.size()) {
    for (const int64_t channels : record.layers->buffer_channels) {
      to_come_.emplace_back(static_cast<size_t>(channels), 0);
      written_.push_back(at::zeros({channels}, at::kFloat));
      slopes_.push_back(at::ones({channels}, at::kFloat));
    }
    for (const Step& step : record.layers->steps) std::visit([&](const auto& one) { expect(one); }, step);
    count(record.layers->body.output(), 1);
  }

  at::Tensor slice_of(NodeId id) { return slice(buffer(id), place(id)); }

  // How a reader adds its gradient of node `id`: to what is written already (1 or 0), and multiplied by the
  // activation's slope where this completes it, else by 1; float32 [channels].
  struct Contribution {
    at::Tensor kept, slope;
  };
  Contribution contribute(NodeId id) {
    const Place& at = place(id);
    const auto b = static_cast<size_t>(at.buffer);
    count(id, -1);
    Contribution c{written_[b].narrow(0, at.first, at.channels).clone(),
                   slopes_[b].narrow(0, at.first, at.channels).clone()};
    float* slope = c.slope.mutable_data_ptr<float>();
    for (int64_t i = 0; i < at.channels; ++i) {
      if (to_come_[b][static_cast<size_t>(at.first + i)] > 0) slope[i] = 1;
    }
    written_[b].narrow(0, at.first, at.channels).fill_(1);
    return c;
  }

  // The gradient of the network's output, which nothing else reads.
  void begin(const at::Tensor& gradient_nhwc) {
    const NodeId id = record_.layers->body.output();
    const Contribution c = contribute(id);
    const at::Tensor mine = slice_of(id),
                     y = slice(record_.buffers[static_cast<size_t>(place(id).buffer)], place(id));
    mine.copy_(gradient_nhwc);
    cpu::activation_gradient(const_pixels(y), c.slope.const_data_ptr<float>(), pixels(mine));
  }

 private:
  const Place& place(NodeId id) const { return record_.layers->places[static_cast<size_t>(id)]; }

  at::Tensor& buffer(NodeId id) {
    const auto b = static_cast<size_t>(place(id).buffer);
    if (!buffers_[b].defined()) buffers_[b] = at::empty_like(record_.buffers[b]);
    return buffers_[b];
  }

  void expect(const Layer& layer) {
    count(layer.input, 1);
    const Place& at = place(layer.output());
    slopes_[static_cast<size_t>(at.buffer)]
        .narrow(0, at.first, at.channels)
        .fill_(slope_of(record_.layers->body, layer));
  }
  void expect(const Resampling& step) { count(step.input, 1); }

  void count(NodeId id, int change) {
    const Place& at = place(id);
    for (int64_t i = 0; i < at.channels; ++i)
      to_come_[static_cast<size_t>(at.buffer)][static_cast<size_t>(at.first + i)] += change;
  }

  const Record& record_;
  std::vector<at::Tensor> buffers_;
  std::vector<std::vector<int>> to_come_;
  std::vector<at::Tensor> written_, slopes_;
};

class Backward {
 public:
  // `gradients`, those that are wanted, are of [x, weights in the order of the state].
  Backward(const Record& record, const NodeWeights& weights, std::vector<bool> wanted,
           variable_list& gradients)
      : record_(record),
        weights_(weights),
        wanted_(std::move(wanted)),
        gradients_(gradients),
        outputs_(record) {}

  void run(const at::Tensor& dy) {
    outputs_.begin(dy.permute({0, 2, 3, 1}));
    const auto& steps = record_.layers->steps;
    for (size_t s = steps.size(); s-- > 0;) {
      std::visit([&](const auto& step) { run(s, step); }, steps[s]);
    }
    if (needed(0)) gradients_[0] = as_nchw(outputs_.slice_of(0));
  }

 private:
  bool needed(NodeId id) const { return id != 0 || wanted_[0]; }
  size_t gradient_of(NodeId node, size_t i) const {
    return 1 + weights_.first[static_cast<size_t>(node)] + i;
  }
  at::Tensor activations(NodeId id) const {
    const Place& at = record_.layers->places[static_cast<size_t>(id)];
    return slice(record_.buffers[static_cast<size_t>(at.buffer)], at);
  }

  void run(size_t s, const Resampling& step) {
    if (!needed(step.input)) return;
    const auto contribution = outputs_.contribute(step.input);
    const cpu::Arrival to = arrival(step.input, contribution);
    const auto dy = const_pixels(outputs_.slice_of(step.output));
    const auto dx = pixels(outputs_.slice_of(step.input));
    const Operation& operation = record_.layers->body.node(step.output).operation;
    const auto* pool = std::get_if<MaxPool>(&operation);
    if (pool != nullptr) {
      cpu::max_pool_gradient(dy, pooling_of(*pool), record_.winners[s].const_data_ptr<float>(), to, dx);
    } else {
      cpu::upsample_gradient(dy, grids_of(std::get<Upsample>(operation)), to, dx);
    }
  }

  // Sums over pixels of dn xhat and of dn, float64 [channels].
  struct NormSums {
    at::Tensor dn_xhat, dn;
  };

  // The layer is linear in its normalised input n = weight xhat + bias, so all that batch norm's backward
  // pass sums over pixels follows from the gradients of the filters for xhat and for an input of ones (inside
  // the image), dw_xhat and taps:
  //   sum(dn xhat) = <W, dw_xhat>,   sum(dn) = <W, taps>,   dW = weight dw_xhat + bias taps.
  // `dw` comes as dw_xhat and leaves as dW.
  static NormSums through_norm(const at::Tensor& filters, const at::Tensor& weight, const at::Tensor& bias,
                               const at::Tensor& taps, const at::Tensor& dw) {
    const int64_t in = filters.size(2), out = filters.size(3), rows = filters.numel() / out;
    NormSums sums{at::zeros({in}, at::kDouble), at::zeros({in}, at::kDouble)};
    const float *w = filters.const_data_ptr<float>(), *scale = weight.const_data_ptr<float>(),
                *shift = bias.const_data_ptr<float>();
    const double* ones = taps.const_data_ptr<double>();
    float* d = dw.mutable_data_ptr<float>();
    double *dn_xhat = sums.dn_xhat.mutable_data_ptr<double>(), *dn = sums.dn.mutable_data_ptr<double>();
    for (int64_t row = 0; row < rows; ++row, w += out, d += out) {
      const int64_t i = row % in;
      const double* of_tap = ones + row / in * out;
      for (int64_t o = 0; o < out; ++o) {
        dn_xhat[i] += static_cast<double>(w[o]) * static_cast<double>(d[o]);
        dn[i] += static_cast<double>(w[o]) * of_tap[o];
        d[o] = scale[i] * d[o] + shift[i] * static_cast<float>(of_tap[o]);
      }
    }
    return sums;
  }

  // dx = from_dn dn + from_x (x - mean) + shift, float32 [channels].
  struct InputTerms {
    at::Tensor mean, from_dn, from_x, shift;
  };

  void run(size_t s, const Layer& layer) {
    const Convolution& conv = convolution_of(record_.layers->body, layer);
    const at::Tensor filters = filters_of(weights_.of(layer.convolution, 0), conv),
                     zeros = at::zeros({conv.in}, at::kFloat);
    InputTerms terms{zeros, at::ones_like(zeros), zeros, zeros};
    if (layer.norm || wanted_[gradient_of(layer.convolution, 0)]) run_weights(s, layer, filters, terms);
    if (needed(layer.input)) propagate(layer, filters, terms);
  }

  // `terms` are those of a layer without batch norm, and become this one's.
  void run_weights(size_t s, const Layer& layer, const at::Tensor& filters, InputTerms& terms) {
    const Convolution& conv = convolution_of(record_.layers->body, layer);
    const at::Tensor x = activations(layer.input), dy = outputs_.slice_of(layer.output());
    const int64_t k = conv.kernel;
    const at::Tensor taps = at::empty({k, k, 1, conv.out}, at::kDouble);
    cpu::tap_sums(const_pixels(x), const_pixels(dy), k, conv.stride, taps.mutable_data_ptr<double>());
    give(layer.convolution, 1, taps[k / 2][k / 2][0].to(at::kFloat));

    const Statistics& of = record_.statistics[s];
    at::Tensor dw = at::empty_like(filters), mean, r;
    cpu::Normalisation norm{};
    if (layer.norm) {
      mean = of.mean.to(at::kFloat);
      r = of.r.to(at::kFloat);
      norm = {mean.const_data_ptr<float>(), r.const_data_ptr<float>(), terms.shift.const_data_ptr<float>()};
    }
    cpu::weight_gradient(const_pixels(x), norm, const_pixels(dy), k, conv.stride,
                         dw.mutable_data_ptr<float>());

    if (layer.norm) {
      const at::Tensor &weight = weights_.of(*layer.norm, 0), &bias = weights_.of(*layer.norm, 1);
      const auto [sum_dn_xhat, sum_dn] = through_norm(filters, weight, bias, taps, dw);
      give(*layer.norm, 0, sum_dn_xhat.to(at::kFloat));
      give(*layer.norm, 1, sum_dn.to(at::kFloat));
      terms = terms_of(of, weight, sum_dn_xhat, sum_dn, x.numel() / x.size(3));
    }
    give(layer.convolution, 0, weight_of(dw, conv));
  }

  // With M pixels, of all ranks: dx = weight r (dn - sum(dn) / M - xhat sum(dn xhat) / M); in evaluation the
  // statistics are constants and only the first term is left.
  InputTerms terms_of(const Statistics& of, const at::Tensor& weight, const at::Tensor& sum_dn_xhat,
                      const at::Tensor& sum_dn, int64_t count) const {
    const at::Tensor scale = of.r * weight;
    const bool constant = record_.mode == Mode::Evaluation;
    const double share = constant ? 0 : -1 / static_cast<double>(count * record_.shared.ranks);
    const at::Tensor sums = at::stack({sum_dn_xhat, sum_dn});
    if (!constant && record_.shared.ranks > 1) record_.shared.sum(sums);
    return {of.mean.to(at::kFloat), scale.to(at::kFloat), (scale * of.r * sums[0] * share).to(at::kFloat),
            (scale * sums[1] * share).to(at::kFloat)};
  }

  cpu::Arrival arrival(NodeId id, const OutputGradients::Contribution& contribution) const {
    return {const_pixels(activations(id)), contribution.kept.const_data_ptr<float>(),
            contribution.slope.const_data_ptr<float>()};
  }

  void propagate(const Layer& layer, const at::Tensor& filters, const InputTerms& terms) {
    const Convolution& conv = convolution_of(record_.layers->body, layer);
    const at::Tensor turned = filters.flip({0, 1}).transpose(2, 3).contiguous();
    const auto contribution = outputs_.contribute(layer.input);
    cpu::convolution_gradient(const_pixels(outputs_.slice_of(layer.output())),
                              {turned.const_data_ptr<float>(), conv.out, conv.in, conv.kernel, conv.stride},
                              {terms.mean.const_data_ptr<float>(), terms.from_dn.const_data_ptr<float>(),
                               terms.from_x.const_data_ptr<float>(), terms.shift.const_data_ptr<float>(),
                               arrival(layer.input, contribution)},
                              pixels(outputs_.slice_of(layer.input)));
  }

  void give(NodeId node, size_t i, const at::Tensor& gradient) {
    gradients_[gradient_of(node, i)] = gradient;
  }

  const Record& record_;
  const NodeWeights& weights_;
  const std::vector<bool> wanted_;
  variable_list& gradients_;
  OutputGradients outputs_;
};

// The whole network as one node of autograd's graph; its inputs are [x, weights in the order of the state].
class LayersBackward final : public torch::autograd::Node {
 public:
  LayersBackward(torch::autograd::edge_list edges, Record record, const NodeWeights& weights)
      : Node(std::move(edges)), record_(std::move(record)), first_(weights.first) {
    const std::vector<WeightSpec> specs = record_.layers->body.weights();
    for (size_t i = 0; i < specs.size(); ++i) {
      names_.push_back(specs[i].name);
      weights_.emplace_back(specs[i].trained ? weights.state[i].second : at::Tensor(), false);
    }
  }

  std::string name() const override { return "LayersBackward"; }

  variable_list apply(variable_list&& gradients) override {
    if (record_.buffers.empty()) throw Error("the backward pass of a network was asked for twice");
    const torch::NoGradGuard no_grad;
    NamedTensors state;
    for (size_t i = 0; i < weights_.size(); ++i) state.emplace_back(names_[i], weights_[i].unpack());
    variable_list of_inputs(1 + state.size());
    std::vector<bool> wanted;
    for (size_t i = 0; i < of_inputs.size(); ++i) wanted.push_back(task_should_compute_output(i));
    Backward(record_, {state, first_}, std::move(wanted), of_inputs).run(gradients[0]);
    return of_inputs;
  }

  void release_variables() override {
    record_ = {};
    weights_.clear();
  }

 private:
  Record record_;
  const std::vector<size_t> first_;
  std::vector<std::string> names_;
  std::vector<torch::autograd::SavedVariable> weights_;
};

}  // namespace

at::Tensor run_layers(const Layers& layers, const NodeWeights& weights, const at::Tensor& x, Mode mode,
                      const SharedStatistics& shared) {
  variable_list inputs{x};
  const size_t of_body = layers.body.weights().size();
  for (size_t i = 0; i < of_body; ++i) inputs.push_back(weights.state[i].second);
  const bool trains = torch::autograd::compute_requires_grad(inputs);
  Forward forward(layers, weights, mode, shared, trains);
  at::Tensor y;
  {
    const torch::NoGradGuard no_grad;
    y = forward.run(x);
  }
  if (trains) {
    const auto node = std::shared_ptr<LayersBackward>(
        new LayersBackward(torch::autograd::collect_next_edges(inputs), std::move(forward).record(), weights),
        torch::autograd::deleteNode);
    torch::autograd::set_history(y, node);
  }
  return y;
}

}  // namespace lucivox
