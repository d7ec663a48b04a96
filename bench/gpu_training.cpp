#include "gpu_training.h"

#include <ATen/Context.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/train/adam.h>
#include <lucivox/train/loader.h>
#include <lucivox/train/loss.h>
#include <lucivox/train/precision.h>
#include <lucivox/train/step.h>
#include <lucivox/train/supervised.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
Reporter& kQuiet = silence();
constexpr int64_t kBatch = 2, kSize = 176;  // MS-SSIM halves four times and needs 11 pixels then

at::TensorOptions exact() {
  return at::TensorOptions(at::kDouble);
}

void append(Findings& all, const Findings& more) {
  all.insert(all.end(), more.begin(), more.end());
}

Outcome loss_of(const at::Tensor& output, const at::Tensor& target) {
  const at::Tensor x = output.detach().clone().requires_grad_();
  const Loss loss = image_loss(x, target, {});
  loss.total.backward();
  return {{{"total", loss.total}, {"mse", loss.mse}, {"ms_ssim", loss.ms_ssim}}, {{"output", x.grad()}}};
}

Findings losses(c10::Device device) {
  at::manual_seed(kSeed);
  const at::Tensor target = at::rand({kBatch, 1, kSize, kSize}, exact());
  const at::Tensor output = target + 0.1 * at::randn_like(target);
  const auto mine = [&](const at::Tensor& x) { return x.to(device, at::kFloat); };
  // SSIM's variances are differences of squares: float32 loses two digits in them
  return compare("loss", loss_of(mine(output), mine(target)), loss_of(output, target), 1e-4, 1e-4);
}

NamedTensors adam_after(Network& network) {
  Adam adam(network.weights());
  at::manual_seed(kSeed);
  for (int step = 0; step < 5; ++step) {
    for (const auto& [name, weight] : network.weights().parameters())
      weight.mutable_grad() = at::randn(weight.sizes()).to(weight);
    adam.set_learning_rate(1e-3);
    adam.step();
  }
  return network.weights().parameters();
}

Findings adam(c10::Device device) {
  Network mine(ddnet(), kSeed), truth(ddnet(), kSeed);
  mine.weights().to(device);
  truth.weights().to(exact());
  const NamedTensors weights = adam_after(mine);
  return compare("Adam, 5 steps", {weights, {}}, {adam_after(truth), {}}, 1e-5, 0);
}

// Slices of noise in HU.
std::unique_ptr<PairedSlices> noise_slices(int64_t count) {
  at::manual_seed(kSeed);
  std::vector<VolumePair> pairs;
  for (int64_t i = 0; i < count; ++i) {
    const auto opener = [hu = 300 * at::randn({1, kSize, kSize})] { return memory_source(hu, {}, "noise"); };
    pairs.push_back({opener, opener});
  }
  return paired_slices(std::move(pairs));
}

std::vector<const char*> stagings(c10::Device device) {
  return device.is_cuda() ? std::vector{"device", "pinned", "memory", "streaming"}
                          : std::vector{"memory", "streaming"};
}

Findings loaders(c10::Device device) {
  SupervisedOptions options;
  options.batch = kBatch;
  options.crop = 64;
  const auto pairs = noise_slices(4);
  const auto loader = [&](c10::Device where) {
    return open_loader({*pairs, {}, options, 16, where, {}}, kQuiet);
  };
  const auto truth = loader(at::kCPU);
  Findings found;
  for (const char* staging : stagings(device)) {
    options.staging = staging;
    const auto mine = loader(device);
    for (int64_t step = 0; step < 2; ++step) {
      const Batch a = mine->batch(1, step), b = truth->batch(1, step);
      append(found, compare(fmt::format("batch {}, from {}", step + 1, staging),
                            {{{"low", a.low}, {"full", a.full}}, {}},
                            {{{"low", b.low}, {"full", b.full}}, {}}, 1e-6, 0));
    }
  }
  return found;
}

// What a pruned network's training leaves after some steps on one batch and one on another size.
struct Beginning {
  NamedTensors gradients;  // of the last step on the first batch
  double loss = 0;
  double pruned = 0;  // the largest gradient of a weight that is zero
  int64_t captures = 0;
};

// At a learning rate of 0 the weights stay what they are, so that a captured step can be held against one
// that is run as it is.
Beginning beginning(c10::Device device, const std::string& precision, const char* staging, bool capture) {
  constexpr int64_t steps = 8;  // the first ones warm up
  SupervisedOptions options;
  options.batch = kBatch;
  options.crop = 0;
  options.margin = 0;
  options.precision = precision;
  options.staging = staging;
  options.capture = capture;
  const auto pairs = noise_slices(2 * kBatch);
  Network network(ddnet(), kSeed);
  network.weights().to(device);
  compute_in(precision, network);
  const Masks masks = pruning_masks(network.weights(), {.criterion = "magnitude", .amount = 0.5}, kSeed);
  apply_masks(masks, network.weights());
  Adam adam(network.weights());
  std::unique_ptr<TrainingTask> task;
  const auto loss = [&](const std::vector<at::Tensor>& batch, Mode mode) {
    return task->loss(network, batch, mode);
  };
  TrainingStep step(network, loss, adam, masks, options, Ranks());
  Beginning result;
  task = supervised(*pairs, nullptr, {}, options, network, kQuiet);
  for (int64_t i = 0; i < steps; ++i)
    result.loss = step.run(task->batch(0, 0), Mode::Training, 0).item<double>();
  for (const auto& [name, weight] : network.weights().parameters())
    result.gradients.emplace_back(name, weight.grad().detach().clone());
  for (const auto& [name, mask] : masks) {
    const at::Tensor& gradient = network.weights().weight(name).grad();
    result.pruned = std::max(result.pruned, (gradient * (1 - mask)).abs().max().item<double>());
  }
  options.crop = 96;
  task = supervised(*pairs, nullptr, {}, options, network, kQuiet);
  for (int64_t i = 0; i < steps; ++i) step.run(task->batch(1, i % 2), Mode::Training, 0);
  result.captures = step.captures();
  return result;
}

// A captured step with mixed precision and masks held, which nothing but the capture tells from the one run
// as it is: forward they are the same, backward a GPU's atomic sums come in any order, in the precision
// computed in.
Findings captured(c10::Device device, const std::string& precision, const char* staging, double bound) {
  const Beginning mine = beginning(device, precision, staging, true),
                  plain = beginning(device, precision, staging, false);
  const std::string what = fmt::format("a captured step, {}, {}", precision, staging);
  const auto expected = device.is_cuda() ? 2 : 0;  // anew for the other size
  Findings found = compare(what, {{{"loss", at::scalar_tensor(mine.loss)}}, mine.gradients},
                           {{{"loss", at::scalar_tensor(plain.loss)}}, plain.gradients}, bound, bound);
  found.push_back({what + ", gradients of pruned weights", mine.pruned, 1e-30});
  found.push_back(
      {what + ", captures missing", std::abs(static_cast<double>(mine.captures - expected)), 0.5});
  return found;
}

Findings captures(c10::Device device) {
  at::globalContext().setDeterministicCuDNN(true);  // the same algorithms on both sides
  Findings found = captured(device, "fp32", "auto", 1e-5);
  if (device.is_cuda()) {
    append(found, captured(device, "fp16", "auto", 5e-3));
    append(found, captured(device, "bf16", "auto", 4e-2));
    append(found, captured(device, "fp16", "streaming", 5e-3));
  }
  at::globalContext().setDeterministicCuDNN(false);
  return found;
}

}  // namespace

Findings training_on(c10::Device device) {
  Findings found;
  for (const auto& part : {losses, adam, loaders, captures}) append(found, part(device));
  return found;
}

}  // namespace lucivox::bench
