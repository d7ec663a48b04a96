#include "two_four.h"

#include <map>
#include <string>

#include "worker.h"
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_cslt_compress.h>
#include <ATen/ops/_cslt_sparse_mm.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <fmt/format.h>
#include <torch/cuda.h>

#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/sparse/criterion.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kSide = 512, kPixels = kSide * kSide;
constexpr int kRepeats = 50;
constexpr double kHalf = 2e-3;  // both sum in float32 and round the result to half precision

// Many launches behind one another, one wait.
double seconds_each(const std::function<void()>& launch) {
  for (int i = 0; i < 3; ++i) launch();
  torch::cuda::synchronize();
  const double all = seconds_of([&] {
    for (int i = 0; i < kRepeats; ++i) launch();
    torch::cuda::synchronize();
  });
  return all / kRepeats;
}

// One kernel [out, in, k, k] of each shape that has the pattern, in half precision.
std::map<std::string, at::Tensor> kernels_of(const Network& network) {
  std::map<std::string, at::Tensor> kernels;
  for (const Node& node : network.graph().nodes()) {
    const auto* c = std::get_if<Convolution>(&node.operation);
    if (!c || c->in % 4 != 0) continue;
    const at::Tensor weight = network.weights().weight(node.name + ".weight").detach().to(at::kHalf);
    kernels.emplace(fmt::format("{} -> {}, {}x{}", c->in, c->out, c->side(), c->side()),
                    c->transposed ? weight.transpose(0, 1).flip({2, 3}).contiguous() : weight);
  }
  return kernels;
}

Json measure(const at::Tensor& kernel, const std::string& shape, TwoFour& found) {
  // 2:4 groups run along the inputs of each tap, as the criterion chose them: taps first, inputs last
  const at::Tensor weight = kernel.permute({0, 2, 3, 1}).reshape({kernel.size(0), -1}).contiguous();
  const at::Tensor columns = at::randn({weight.size(1), kPixels}, weight.options());
  const at::Tensor picture = at::randn({1, kernel.size(1), kSide, kSide}, weight.options())
                                 .contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor filter = kernel.contiguous(at::MemoryFormat::ChannelsLast);
  Json line{{"layer", shape}};
  try {
    const at::Tensor compressed = at::_cslt_compress(weight);
    found.agreements.push_back(
        {"2:4 product, " + shape,
         relative_error(at::_cslt_sparse_mm(compressed, columns), at::matmul(weight, columns)), kHalf});
    line["sparse_s"] = seconds_each([&] { at::_cslt_sparse_mm(compressed, columns); });
  } catch (const c10::Error& error) {
    line["refused"] = error.what_without_backtrace();
  }
  line["dense_s"] = seconds_each([&] { at::matmul(weight, columns); });
  line["convolution_s"] = seconds_each([&] { at::conv2d(picture, filter, {}, 1, kernel.size(2) / 2); });
  return line;
}

}  // namespace

TwoFour two_four(c10::Device device) {
  TwoFour found;
  if (!device.is_cuda()) return found;
  const at::NoGradGuard no_grad;
  Network network(ddnet(), kSeed);
  network.weights().to(device);
  apply_masks(pruning_masks(network.weights(), {.criterion = "2:4", .amount = 0.5}, kSeed),
              network.weights());
  for (const auto& [shape, kernel] : kernels_of(network))
    found.layers.push_back(measure(kernel, shape, found));
  return found;
}

}  // namespace lucivox::bench
