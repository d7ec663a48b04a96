#pragma once

#include <functional>
#include <vector>

#include <lucivox/nn/weights.h>
#include <lucivox/train/ranks.h>

namespace lucivox {

// The mean of gradients over ranks. While the backward pass goes on, gradients that are finished gather in
// buckets, and a full bucket is summed over ranks beside what is still computed (Li et al., "PyTorch
// distributed", VLDB 2020).
class GradientBuckets {
 public:
  GradientBuckets(const Weights& weights, const Ranks& ranks);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  // After the backward pass: every parameter's gradient is the mean. Places stay the same from step to step.
  void finish();

 private:
  struct Bucket {
    at::Tensor values;  // gradients, one behind the other
    std::vector<size_t> parameters;
    size_t missing = 0;  // gradients that are still to come
    std::function<void()> wait;
  };
  void arrived(size_t parameter, const at::Tensor& gradient);
  void start_over();

  Ranks ranks_;
  std::vector<at::Tensor> parameters_;
  std::vector<unsigned> hooks_;
  std::vector<Bucket> buckets_;
  std::vector<size_t> bucket_of_;
  std::vector<at::Tensor> places_;  // of each parameter's gradient, in its bucket
};

}  // namespace lucivox
