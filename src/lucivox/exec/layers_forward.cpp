#include <algorithm>
#include <cmath>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <lucivox/exec/layers_forward.h>
#include <lucivox/kernels/cpu/convolution.h>
#include <lucivox/kernels/cpu/moments.h>
#include <lucivox/kernels/cpu/resample.h>

namespace lucivox {
namespace {

NodeId input_of(const Step& step) {
  return std::visit([](const auto& one) { return one.input; }, step);
}

// Of each channel of a buffer.
struct Moments {
  std::vector<double> mean, variance;
};

// Batch norm of a layer as its convolution applies it on reading.
struct ChannelNormalisation {
  std::vector<float> mean, scale;
  const float* shift = nullptr;

  cpu::Normalisation view() const {
    return shift == nullptr ? cpu::Normalisation{} : cpu::Normalisation{mean.data(), scale.data(), shift};
  }
};

class Forward {
 public:
  Forward(const NodeWeights& weights, bool keeps, LayersRecord& record)
      : weights_(weights),
        keeps_(keeps),
        record_(record),
        needs_moments_(record.mode == Mode::Training || record.layers->body.uses_batch_statistics()),
        moments_(record.layers->buffer_channels.size()) {
    last_reader_.resize(moments_.size());
    for (size_t s = 0; s < steps().size(); ++s) last_reader_[record_.buffer_at(input_of(steps()[s]))] = s;
    record_.buffers.resize(moments_.size());
    record_.statistics.resize(steps().size());
    record_.winners.resize(steps().size());
  }

  at::Tensor run(const at::Tensor& x) {
    output(0, x.size(0), x.size(2), x.size(3));
    tensor_of(0).copy_(x.permute({0, 2, 3, 1}));
    take_moments(0);
    for (size_t s = 0; s < steps().size(); ++s) {
      std::visit([&](const auto& step) { run(s, step); }, steps()[s]);
      if (!keeps_) forget_what_was_read(s);
    }
    return tensor_of(record_.layers->body.output()).permute({0, 3, 1, 2}).clone(at::MemoryFormat::Contiguous);
  }

 private:
  const std::vector<Step>& steps() const { return record_.layers->steps; }

  at::Tensor tensor_of(NodeId id) const {
    const Place& place = record_.place(id);
    return record_.buffers[record_.buffer_at(id)].narrow(3, place.first, place.channels);
  }

  void forget_what_was_read(size_t s) {
    record_.winners[s].reset();
    const size_t read = record_.buffer_at(input_of(steps()[s]));
    if (last_reader_[read] == s && read != record_.buffer_at(record_.layers->body.output()))
      record_.buffers[read].reset();
  }

  // Where a node of that size writes; the first one of a buffer makes the buffer.
  cpu::Pixels<float> output(NodeId id, int64_t images, int64_t rows, int64_t columns) {
    const size_t at = record_.buffer_at(id);
    if (!record_.buffers[at].defined()) {
      const int64_t channels = record_.layers->buffer_channels[at];
      record_.buffers[at] = at::empty({images, rows, columns, channels}, at::kFloat);
      moments_[at] = {std::vector<double>(static_cast<size_t>(channels)),
                      std::vector<double>(static_cast<size_t>(channels))};
    }
    return pixels_at(record_.buffers[at], record_.place(id));
  }

  // Mean and variance of each channel of a node's output.
  double* means(NodeId id) { return moments_[record_.buffer_at(id)].mean.data() + record_.place(id).first; }
  double* variances(NodeId id) {
    return moments_[record_.buffer_at(id)].variance.data() + record_.place(id).first;
  }

  void take_moments(NodeId id) {
    if (!needs_moments_) return;
    cpu::moments(record_.activations(id), means(id), variances(id));
    share_moments(id);
  }

  // Mean and variance of all ranks' pixels from those of each, which are equally many.
  void share_moments(NodeId id) {
    if (record_.shared.ranks == 1) return;
    const auto channels = static_cast<size_t>(record_.place(id).channels);
    double *mean = means(id), *variance = variances(id);
    std::vector<double> sums(2 * channels);  // of x, of x^2
    for (size_t c = 0; c < channels; ++c) {
      sums[c] = mean[c];
      sums[channels + c] = variance[c] + mean[c] * mean[c];
    }
    record_.shared.sum(at::from_blob(sums.data(), {std::ssize(sums)}, at::kDouble));
    const auto ranks = static_cast<double>(record_.shared.ranks);
    for (size_t c = 0; c < channels; ++c) {
      mean[c] = sums[c] / ranks;
      variance[c] = std::max(sums[channels + c] / ranks - mean[c] * mean[c], 0.0);
    }
  }

  void run(size_t s, const Resampling& step) {
    const cpu::Pixels<const float> x = record_.activations(step.input);
    const Operation& op = record_.layers->body.node(step.output).operation;
    if (const auto* max_pool = std::get_if<MaxPool>(&op)) {
      const cpu::Pooling pool = pooling_of(*max_pool);
      const auto pooled = [&](int64_t side) {
        return (side + 2 * pool.padding - pool.kernel) / pool.stride + 1;
      };
      const cpu::Pixels<float> y = output(step.output, x.images, pooled(x.rows), pooled(x.columns));
      record_.winners[s] = at::empty({y.images, y.rows, y.columns, y.channels}, at::kFloat);
      cpu::max_pool(x, pool, y, record_.winners[s].mutable_data_ptr<float>());
    } else {
      const auto& up = std::get<Upsample>(op);
      cpu::upsample(x, grids_of(up),
                    output(step.output, x.images, x.rows * up.factor[1], x.columns * up.factor[2]));
    }
    take_moments(step.output);
  }

  void run(size_t s, const Layer& layer) {
    const Convolution& conv = record_.convolution(layer);
    const cpu::Pixels<const float> x = record_.activations(layer.input);
    const cpu::Filters filters = filters_of(weights_.values(layer.convolution, 0), conv);
    const ChannelNormalisation norm = normalisation(s, layer);
    const float* bias = weights_.values(layer.convolution, 1);
    const std::vector<float> origin = needs_moments_ ? origin_of(layer, filters, norm)
                                                     : std::vector<float>(static_cast<size_t>(filters.out));
    const auto strided = [&](int64_t side) { return (side - 1) / conv.step() + 1; };
    const cpu::Pixels<float> y = output(layer.output(), x.images, strided(x.rows), strided(x.columns));
    std::vector<double> sums(origin.size()), squares(origin.size());
    cpu::convolution(x, norm.view(), filters,
                     {bias, record_.slope(layer), origin.data(), sums.data(), squares.data()}, y);
    if (!needs_moments_) return;
    double *mean = means(layer.output()), *variance = variances(layer.output());
    const auto count = static_cast<double>(y.count());
    for (size_t c = 0; c < origin.size(); ++c) {
      const double off = sums[c] / count;
      mean[c] = static_cast<double>(origin[c]) + off;
      variance[c] = std::max(squares[c] / count - off * off, 0.0);
    }
    share_moments(layer.output());
  }

  // What a layer makes of its mean input, which is near the mean of what it makes.
  std::vector<float> origin_of(const Layer& layer, const cpu::Filters& filters,
                               const ChannelNormalisation& norm) const {
    const float* bias = weights_.values(layer.convolution, 1);
    std::vector<float> origin(bias, bias + filters.out);
    if (norm.shift != nullptr) {
      for (int64_t i = 0; i < filters.in; ++i) {
        for (int64_t o = 0; o < filters.out; ++o)
          origin[static_cast<size_t>(o)] += norm.shift[i] * sum_over_taps(filters, i, o);
      }
    }
    for (float& value : origin) value = value > 0 ? value : record_.slope(layer) * value;
    return origin;
  }

  static float sum_over_taps(const cpu::Filters& filters, int64_t i, int64_t o) {
    float sum = 0;
    for (int64_t tap = 0; tap < filters.kernel * filters.kernel; ++tap)
      sum += filters.weight[filters.at(tap, i, o)];
    return sum;
  }

  ChannelNormalisation normalisation(size_t s, const Layer& layer) {
    if (!layer.norm) return {};
    const Statistics& of = record_.statistics[s] = statistics(*layer.norm, layer.input);
    ChannelNormalisation norm;
    const float* weight = weights_.values(*layer.norm, 0);
    for (size_t c = 0; c < of.mean.size(); ++c) {
      norm.mean.push_back(static_cast<float>(of.mean[c]));
      norm.scale.push_back(static_cast<float>(of.r[c] * static_cast<double>(weight[c])));
    }
    norm.shift = weights_.values(*layer.norm, 1);
    return norm;
  }

  Statistics statistics(NodeId norm, NodeId input) {
    const auto& options = record_.operation<BatchNorm>(norm);
    const auto channels = static_cast<size_t>(options.channels);
    Statistics of{std::vector<double>(channels), std::vector<double>(channels)};
    if (!record_.by_batch(norm)) {
      const float *mean = weights_.values(norm, 2), *variance = weights_.values(norm, 3);
      for (size_t c = 0; c < channels; ++c) {
        of.mean[c] = static_cast<double>(mean[c]);
        of.r[c] = 1 / std::sqrt(static_cast<double>(variance[c]) + options.eps);
      }
      return of;
    }
    const double *mean = means(input), *variance = variances(input);
    const auto count = static_cast<double>(record_.activations(input).count() * record_.shared.ranks);
    const double unbiased = count / std::max(1.0, count - 1);
    for (size_t c = 0; c < channels; ++c) {
      of.mean[c] = mean[c];
      of.r[c] = 1 / std::sqrt(variance[c] + options.eps);
    }
    if (record_.mode == Mode::Evaluation) return of;
    follow(weights_.of(norm, 2), mean, 1, options.momentum);
    follow(weights_.of(norm, 3), variance, unbiased, options.momentum);
    return of;
  }

  // A running statistic follows that of this batch, times `factor`.
  static void follow(const at::Tensor& running, const double* batch, double factor, double momentum) {
    float* value = running.mutable_data_ptr<float>();
    for (int64_t c = 0; c < running.numel(); ++c)
      value[c] =
          static_cast<float>((1 - momentum) * static_cast<double>(value[c]) + momentum * factor * batch[c]);
  }

  const NodeWeights& weights_;
  const bool keeps_;
  LayersRecord& record_;
  const bool needs_moments_;         // whether a batch norm normalises by what it reads
  std::vector<size_t> last_reader_;  // of each buffer
  std::vector<Moments> moments_;     // of each buffer
};

}  // namespace

at::Tensor run_forward(const NodeWeights& weights, const at::Tensor& x, bool keeps, LayersRecord& record) {
  return Forward(weights, keeps, record).run(x);
}

}  // namespace lucivox
