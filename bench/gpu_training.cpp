#include "gpu_training.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/zeros.h>
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

// The first steps of a pruned network's training: crops of one size, then of another.
struct Beginning {
  at::Tensor losses;  // of each step
  at::Tensor change;  // of all weights
  double pruned = 0;  // the largest weight that should be zero
  int64_t captures = 0;
};

at::Tensor all_weights(const Network& network) {
  std::vector<at::Tensor> flat;
  for (const auto& [name, weight] : network.weights().parameters())
    flat.push_back(weight.detach().flatten().to(at::kCPU));
  return at::cat(flat);
}

Beginning beginning(c10::Device device, const std::string& precision, const char* staging, bool capture) {
  SupervisedOptions options;
  options.batch = kBatch;
  options.crop = 0;
  options.margin = 0;
  options.learning_rate = 1e-4;
  options.precision = precision;
  options.staging = staging;
  options.capture = capture;
  const auto pairs = noise_slices(2 * kBatch);
  Network network(ddnet(), kSeed);
  network.weights().to(device);
  compute_in(precision, network);
  const Masks masks = pruning_masks(network.weights(), {.criterion = "magnitude", .amount = 0.5}, kSeed);
  apply_masks(masks, network.weights());
  const at::Tensor before = all_weights(network);
  Adam adam(network.weights());
  std::unique_ptr<TrainingTask> task;
  const auto loss = [&](const std::vector<at::Tensor>& batch, Mode mode) {
    return task->loss(network, batch, mode);
  };
  TrainingStep step(network, loss, adam, masks, options, Ranks());
  Beginning result{at::zeros({16}, exact()), {}, 0, 0};
  for (int64_t i = 0; i < result.losses.size(0); ++i) {
    if (i % 8 == 0) {
      options.crop = i == 0 ? 0 : 96;
      task = supervised(*pairs, nullptr, {}, options, network, kQuiet);
    }
    result.losses[i] = step.run(task->batch(i / 2, i % 2), Mode::Training, options.learning_rate);
  }
  result.change = all_weights(network) - before;
  for (const auto& [name, mask] : masks)
    result.pruned =
        std::max(result.pruned, (network.weights().weight(name) * (1 - mask)).abs().max().item<double>());
  result.captures = step.captures();
  return result;
}

// A captured step with mixed precision and masks held, which nothing but the capture tells from the one run
// as it is; the atomic sums of a GPU's backward passes come in any order, and Adam's first steps turn that
// into signs. A replay that did nothing would change no weight at all.
Findings captured(c10::Device device, const std::string& precision, const char* staging) {
  const Beginning mine = beginning(device, precision, staging, true),
                  plain = beginning(device, precision, staging, false);
  const std::string what = fmt::format("16 steps, captured, {}, {}", precision, staging);
  const auto expected = device.is_cuda() ? 2 : 0;  // anew for the other size
  return {{what + ", losses", relative_error(mine.losses, plain.losses), 2e-2},
          {what + ", change of weights", relative_error(mine.change, plain.change), 0.3},
          {what + ", pruned weights", mine.pruned, 1e-30},
          {what + ", captures missing", std::abs(static_cast<double>(mine.captures - expected)), 0.5}};
}

Findings captures(c10::Device device) {
  Findings found = captured(device, "fp32", "auto");
  if (!device.is_cuda()) return found;
  for (const char* precision : {"fp16", "bf16"}) append(found, captured(device, precision, "auto"));
  append(found, captured(device, "fp16", "streaming"));
  return found;
}

}  // namespace

Findings training_on(c10::Device device) {
  Findings found;
  for (const auto& part : {losses, adam, loaders, captures}) append(found, part(device));
  return found;
}

}  // namespace lucivox::bench
