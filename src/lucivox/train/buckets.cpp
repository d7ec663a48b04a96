#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/buckets.h>

namespace lucivox {
namespace {

constexpr int64_t kBucket = 1 << 18;  // numbers, 1 MB

}  // namespace

GradientBuckets::GradientBuckets(const Weights& weights, const Ranks& ranks) : ranks_(ranks) {
  for (const auto& [name, weight] : weights.parameters()) parameters_.push_back(weight);
  bucket_of_.resize(parameters_.size());
  places_.resize(parameters_.size());
  int64_t filled = kBucket;
  for (size_t i = parameters_.size(); i-- > 0;) {  // the last layer's gradients come first
    if (filled + parameters_[i].numel() > kBucket) {
      buckets_.emplace_back();
      filled = 0;
    }
    filled += parameters_[i].numel();
    bucket_of_[i] = buckets_.size() - 1;
    buckets_.back().parameters.push_back(i);
  }
  for (Bucket& bucket : buckets_) {
    int64_t numbers = 0;
    for (const size_t i : bucket.parameters) numbers += parameters_[i].numel();
    bucket.values = at::empty({numbers}, parameters_.front().options().requires_grad(false));
    int64_t begin = 0;
    for (const size_t i : bucket.parameters) {
      places_[i] = bucket.values.narrow(0, begin, parameters_[i].numel()).view(parameters_[i].sizes());
      begin += parameters_[i].numel();
    }
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    hooks_.push_back(parameters_[i].register_hook([this, i](const at::Tensor& g) { arrived(i, g); }));
  }
  start_over();
}

GradientBuckets::~GradientBuckets() {
  for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].remove_hook(hooks_[i]);
}

void GradientBuckets::arrived(size_t parameter, const at::Tensor& gradient) {
  const at::NoGradGuard no_grad;
  places_[parameter].copy_(gradient);
  Bucket& bucket = buckets_[bucket_of_[parameter]];
  if (--bucket.missing == 0) bucket.wait = ranks_.sum_later(bucket.values);
}

void GradientBuckets::finish() {
  const at::NoGradGuard no_grad;
  for (Bucket& bucket : buckets_) {
    if (bucket.missing > 0)
      throw Error(
          fmt::format("{} weights got no gradient, so that ranks cannot train together", bucket.missing),
          "every layer must have a part in the loss");
    bucket.wait();
    bucket.values.div_(static_cast<double>(ranks_.size()));
  }
  for (size_t i = 0; i < parameters_.size(); ++i) parameters_[i].mutable_grad() = places_[i];
  start_over();
}

void GradientBuckets::start_over() {
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters.size();
}

}  // namespace lucivox
