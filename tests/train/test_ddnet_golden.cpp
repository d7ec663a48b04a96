// DDNet's forward pass, loss and gradients against PyTorch's on the same weights
// (tests/golden/make_ddnet.py).
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/pytorch_file.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/train/loss.h>

namespace lucivox {
namespace {

class DdnetGolden : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  static at::Tensor golden(const std::string& name) {
    static const TensorFile file = read_safetensors(LUCIVOX_GOLDEN "/ddnet.safetensors");
    for (const auto& [key, tensor] : file.tensors) {
      if (key == name) return tensor;
    }
    throw Error("no golden " + name);
  }

  static Network network(c10::Device device) {
    Network network(ddnet(), 0);
    NamedTensors weights;
    for (const auto& [name, tensor] : read_pytorch_tensors(LUCIVOX_GOLDEN "/ddnet.pt")) {
      if (!name.ends_with("num_batches_tracked")) weights.emplace_back(name, tensor);
    }
    network.weights().load_state(weights);
    network.weights().to(at::TensorOptions(GetParam()).device(device));
    return network;
  }

  // In float64, 1e-5. In float32 rounding alone moves a training pass by more than that, where a pixel falls
  // on the other side of a leaky ReLU's or a maximum's kink: there ours may err `times` as much as PyTorch's
  // own float32 does. Winograd's sums are 5 times as far from float64 as its direct ones; the kinks, which
  // make most of the gradients' error, are hit twice as often.
  static double tolerance(const std::string& what, double times) {
    return GetParam() == at::kDouble ? 1e-5 : times * golden("float32_error." + what).item<double>();
  }

  static at::Tensor image(const std::string& name, c10::Device device) {
    return golden(name).to(device, GetParam());
  }
};

TEST_P(DdnetGolden, ForwardAgrees) {
  const torch::NoGradGuard no_grad;
  on_every_device([](c10::Device device) {
    Network net = network(device);
    const at::Tensor x = image("input", device);
    EXPECT_LT(relative_difference(net.forward(x, Mode::Evaluation), golden("output_eval")), 1e-5);
    EXPECT_LT(relative_difference(net.forward(x, Mode::Training), golden("output_train")),
              tolerance("output_train", 6));
  });
}

TEST_P(DdnetGolden, LossAgrees) {
  on_every_device([](c10::Device device) {
    const Loss loss = image_loss(image("output_train", device), image("target", device), {});
    EXPECT_LT(relative_difference(loss.total, golden("loss_standard")), 1e-5);
    EXPECT_LT(relative_difference(loss.mse, golden("mse")), 1e-5);
    EXPECT_LT(relative_difference(loss.ms_ssim, golden("ms_ssim_standard")), 1e-5);
  });
}

TEST_P(DdnetGolden, GradientsAgree) {
  on_every_device([](c10::Device device) {
    Network net = network(device);
    const at::Tensor output = net.forward(image("input", device), Mode::Training);
    image_loss(output, image("target", device), {}).total.backward();
    std::vector<at::Tensor> mine, truth;
    for (const auto& [name, weight] : net.weights().parameters()) {
      mine.push_back(weight.grad().flatten().to(at::kDouble));
      truth.push_back(golden("grad." + name).flatten().to(at::kDouble));
      if (GetParam() == at::kDouble) {
        EXPECT_LT(relative_difference(mine.back(), truth.back()), 1e-5) << name;
      }
    }
    EXPECT_LT(relative_difference(at::cat(mine), at::cat(truth)), tolerance("grad", 3));
  });
}

TEST_P(DdnetGolden, RunningStatisticsAgree) {
  const torch::NoGradGuard no_grad;
  on_every_device([](c10::Device device) {
    Network net = network(device);
    net.forward(image("input", device), Mode::Training);
    for (const auto& [name, value] : net.weights().state()) {
      if (name.find("running_") == std::string::npos) continue;
      EXPECT_LT(relative_difference(value, golden("after." + name)), 1e-5) << name;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(, DdnetGolden, ::testing::Values(at::kDouble, at::kFloat), [](const auto& instance) {
  return instance.param == at::kDouble ? "Double" : "Float";
});

}  // namespace
}  // namespace lucivox
