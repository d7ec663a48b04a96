#include <algorithm>
#include <array>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/precision.h>

namespace lucivox {
namespace {

constexpr std::array<const char*, 4> kNames{"fp32", "tf32", "fp16", "bf16"};
constexpr double kFirstScale = 65536, kGrowth = 2, kBackoff = 0.5;
constexpr int64_t kGoodSteps = 2000;  // before the scale grows

}  // namespace

void require_precision(const std::string& name) {
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end())
    throw Error::misuse(fmt::format("unknown precision '{}'", name), fmt::format("use {}", kPrecisionNames));
}

void compute_in(const std::string& precision, Network& network) {
  require_precision(precision);
  const c10::Device device = network.weights().state().front().second.device();
  if (device.is_cpu() && precision == "tf32")
    throw Error::misuse(fmt::format("{} needs a GPU", precision), "use --device cuda, or leave it out");
  at::globalContext().setAllowTF32CuDNN(precision == "tf32");
  at::globalContext().setAllowTF32CuBLAS(precision == "tf32");
  network.compute_in(precision == "fp16"   ? std::optional(at::kHalf)
                     : precision == "bf16" ? std::optional(at::kBFloat16)
                                           : std::nullopt);
}

LossScale::LossScale(c10::Device device)
    : scale_(at::full({}, kFirstScale, device)),
      good_steps_(at::zeros({}, at::dtype(at::kInt).device(device))),
      overflowed_(at::zeros({}, device)),
      skipped_(at::zeros({}, device)) {}

void LossScale::unscale(std::vector<at::Tensor>& gradients) {
  overflowed_.zero_();
  at::_amp_foreach_non_finite_check_and_unscale_(gradients, overflowed_, scale_.reciprocal());
}

void LossScale::update() {
  skipped_.add_(overflowed_);
  at::_amp_update_scale_(scale_, good_steps_, overflowed_, kGrowth, kBackoff, kGoodSteps);
}

NamedTensors LossScale::state() const {
  return {{"scale", scale_}, {"good_steps", good_steps_}, {"skipped", skipped_}};
}

void LossScale::load_state(const NamedTensors& state) {
  for (const auto& [name, mine] : this->state()) {
    const auto found =
        std::find_if(state.begin(), state.end(), [&n = name](const auto& entry) { return entry.first == n; });
    if (found == state.end() || found->second.numel() != 1)
      throw Error(fmt::format("the loss scale's '{}' is missing", name), "the checkpoint is damaged");
    mine.copy_(found->second.reshape(at::IntArrayRef{}));
  }
}

}  // namespace lucivox
