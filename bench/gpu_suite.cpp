// Our side of gpu_suite: every operator, network and kernel on one device against the CPU in float64, and
// what 2:4 sparsity comes to on tensor cores. `bench_gpu_suite cpu|cuda FOLDER THREADS`.

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "agreements.h"
#include "gpu_training.h"
#include "two_four.h"
#include "worker.h"
#include <ATen/core/grad_mode.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <fmt/format.h>
#include <torch/cuda.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/tomogan.h>
#include <lucivox/nn/networks/vgg.h>
#include <lucivox/sparse/criterion.h>
#include <lucivox/sparse/shrink.h>
#include <lucivox/train/precision.h>
#ifdef LUCIVOX_BENCH_CUDA
#include "projectors_cuda.h"
#endif

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
constexpr int64_t kBatch = 2, kSize = 176;  // MS-SSIM halves four times and needs 11 pixels then

struct Bounds {
  double output, gradient;
};
constexpr Bounds kLayer{1e-5, 1e-5};  // one operator in float32: sums of up to a thousand products
// DDNet in evaluation mode: the roundings of some tens of layers.
constexpr std::pair<const char*, Bounds> kEvaluation[] = {
    {"fp32", {1e-6, 1e-5}}, {"tf32", {2e-3, 2e-3}}, {"fp16", {2e-3, 2e-3}}, {"bf16", {2e-2, 2e-2}}};
// In training mode each batch norm magnifies what the layers before it left of a picture, and the rounding
// with it: an untrained DDNet in PyTorch is 1e-5 to 2e-4 off its float64, its gradients are up to 3 %. So the
// measure is libtorch's float32 on the CPU, operator by operator, and 5 times that is Winograd's share.
constexpr double kTimesLibtorch = 5;

void append(Findings& all, const Findings& more) {
  all.insert(all.end(), more.begin(), more.end());
}

at::TensorOptions exact() {
  return at::TensorOptions(at::kDouble);
}

// --- operators

struct OperatorCase {
  std::string name;
  std::function<void(Graph&, NodeId)> add;
  Mode mode = Mode::Training;
};

std::vector<OperatorCase> operator_cases() {
  std::vector<OperatorCase> cases;
  for (const int64_t kernel : {1, 3, 5, 7}) {
    cases.push_back({"convolution " + std::to_string(kernel),
                     [=](Graph& g, NodeId x) { g.convolution(x, "c", 16, kernel); }});
    cases.push_back({"transposed convolution " + std::to_string(kernel),
                     [=](Graph& g, NodeId x) { g.transposed_convolution(x, "c", 16, kernel); }});
  }
  cases.push_back({"convolution 3, stride 2", [](Graph& g, NodeId x) { g.convolution(x, "c", 16, 3, 2); }});
  cases.push_back({"dense layer", [](Graph& g, NodeId x) { g.dense(x, "d", kSize, 5); }});
  const auto norm = [](Graph& g, NodeId x) { g.batch_norm(x, "n"); };
  cases.push_back({"batch norm, training", norm});
  cases.push_back({"batch norm, evaluation", norm, Mode::Evaluation});
  cases.push_back({"leaky ReLU", [](Graph& g, NodeId x) { g.leaky_relu(x); }});
  cases.push_back({"max pool", [](Graph& g, NodeId x) { g.max_pool(x, {}); }});
  cases.push_back({"upsample", [](Graph& g, NodeId x) { g.upsample(x, 2); }});
  cases.push_back({"upsample between corners", [](Graph& g, NodeId x) { g.upsample(x, 2, false); }});
  cases.push_back({"max pool 2x2", [](Graph& g, NodeId x) { g.max_pool(x, {2, 2, 0}); }});
  cases.push_back({"concat", [](Graph& g, NodeId x) { g.concat({x, g.leaky_relu(x)}); }});
  return cases;
}

// Biases off their initial 0, at which leaky ReLUs have their kink. Weights stay what training starts from:
// large random ones make a network of 45 layers amplify rounding a thousandfold.
void move_biases(Network& network) {
  const at::NoGradGuard no_grad;
  at::manual_seed(kSeed);
  for (const auto& [name, weight] : network.weights().parameters()) {
    if (weight.dim() == 1) weight.add_(at::randn_like(weight), 0.1);
  }
}

// For single operators: no mean that a batch norm would have to subtract from far larger numbers than are
// left.
at::Tensor noise(int64_t channels) {
  return at::randn({kBatch, channels, kSize, kSize}, exact());
}

// For networks: pictures rather than noise, whose details a network of means would have to magnify.
at::Tensor pictures(int64_t channels) {
  const at::Tensor shapes = at::rand({kBatch, channels, kSize / 16, kSize / 16}, exact());
  const at::Tensor large = at::upsample_bilinear2d(shapes, {kSize, kSize}, true);
  return large + 0.05 * at::randn_like(large);
}

// What becomes of the sum of output * probe.
Outcome run(Network& network, const at::Tensor& input, const at::Tensor& probe, Mode mode) {
  const at::TensorOptions as = network.weights().state().front().second.options();
  const at::Tensor x = input.to(as.device(), c10::typeMetaToScalarType(as.dtype())).detach().requires_grad_();
  const at::Tensor output = network.forward(x, mode);
  (output * probe.to(output)).sum().backward();
  Outcome outcome{{{"output", output}}, {{"input", x.grad()}}};
  for (const auto& [name, weight] : network.weights().parameters())
    outcome.gradients.emplace_back(name, weight.grad());
  for (const auto& [name, value] : network.weights().state()) {
    if (name.ends_with("running_var")) outcome.outputs.emplace_back(name, value);
  }
  return outcome;
}

// A network and what it is given: `draw` makes an input of that many channels.
struct NetworkCase {
  const Graph& graph;
  NamedTensors state;
  Mode mode;
  at::Tensor (*draw)(int64_t channels);
};

// The case twice: as `prepare` has it, and in float64 on the CPU.
Findings compare_networks(const std::string& what, const NetworkCase& of,
                          const std::function<void(Network&)>& prepare, const Bounds& bounds) {
  Network mine(of.graph, kSeed), truth(of.graph, kSeed);
  for (Network* network : {&mine, &truth}) network->weights().load_state(of.state);
  prepare(mine);
  truth.weights().to(exact());
  at::manual_seed(kSeed);
  const at::Tensor input = of.draw(of.graph.channels(0));
  const at::Tensor probe = at::randn(truth.forward(input, Mode::Evaluation).sizes(), exact());
  return compare(what, run(mine, input, probe, of.mode), run(truth, input, probe, of.mode), bounds.output,
                 bounds.gradient);
}

std::function<void(Network&)> on(c10::Device device, const std::string& precision) {
  return [=](Network& network) {
    network.weights().to(device);
    compute_in(precision, network);
  };
}

Bounds training_bounds(const NetworkCase& of) {
  const auto by_libtorch = [](Network& network) { network.compute_in(at::kFloat); };
  const Findings own = compare_networks("libtorch", of, by_libtorch, {});
  return {kTimesLibtorch * own.at(0).error, kTimesLibtorch * own.at(1).error};
}

Findings operators(c10::Device device) {
  Findings found;
  for (const OperatorCase& one : operator_cases()) {
    Graph graph;
    one.add(graph, graph.convolution(graph.input(8), "before", 8, 1));
    Network network(graph, kSeed);
    move_biases(network);
    append(found, compare_networks(one.name, {graph, network.weights().state(), one.mode, noise},
                                   on(device, "fp32"), kLayer));
  }
  return found;
}

// --- networks

// A value that rounding puts on the other side of a ReLU's kink changes a gradient by far more than the
// rounding.
constexpr double kKinks = 1e-2;

Findings other_networks(c10::Device device) {
  Findings found;
  for (const auto& [name, graph] : {std::pair("TomoGAN's generator", tomogan()),
                                    std::pair("TomoGAN's discriminator", tomogan_discriminator(kSize)),
                                    std::pair("VGG-19's first block", vgg_blocks(19)[0])}) {
    Network network(graph, kSeed);
    move_biases(network);
    const NetworkCase trained{network.graph(), network.weights().state(), Mode::Training, pictures};
    append(found, compare_networks(fmt::format("{}, fp32", name), trained, on(device, "fp32"),
                                   {training_bounds(trained).output, kKinks}));
  }
  return found;
}

Findings networks(c10::Device device) {
  Network dense(ddnet(), kSeed);
  move_biases(dense);
  Network pruned(ddnet(), kSeed);
  pruned.weights().load_state(dense.weights().state());
  apply_masks(pruning_masks(pruned.weights(), {.criterion = "filters-l1", .amount = 0.5}, kSeed),
              pruned.weights());
  Network shrunk = Network(shrink(removable_channels(pruned.weights()), pruned.weights()));
  Findings found;
  for (const auto& [name, network] : {std::pair("DDNet", &dense), std::pair("DDNet, shrunk", &shrunk)}) {
    const NetworkCase trained{network->graph(), network->weights().state(), Mode::Training, pictures};
    append(found, compare_networks(fmt::format("{}, training, fp32", name), trained, on(device, "fp32"),
                                   training_bounds(trained)));
    const NetworkCase used{network->graph(), network->weights().state(), Mode::Evaluation, pictures};
    for (const auto& [precision, bounds] : kEvaluation) {
      if (!device.is_cuda() && std::string(precision) == "tf32") continue;
      append(found, compare_networks(fmt::format("{}, evaluation, {}", name, precision), used,
                                     on(device, precision), bounds));
    }
  }
  append(found, other_networks(device));
  return found;
}

class Suite {
 public:
  Suite(c10::Device device, std::filesystem::path folder) : device_(device), folder_(std::move(folder)) {}

  void check() const {
    Findings found;
    for (const auto& part : {operators, networks, training_on}) append(found, part(device_));
#ifdef LUCIVOX_BENCH_CUDA
    if (device_.is_cuda()) append(found, projectors_on(device_));
#endif
    const TwoFour sparse = two_four(device_);
    append(found, sparse.agreements);
    Json agreements = Json::array();
    for (const Agreement& a : found)
      agreements.push_back({{"what", a.what}, {"error", a.error}, {"bound", a.bound}});
    write_file(folder_ / "suite.json", Json{{"agreements", agreements}, {"two_four", sparse.layers}}.dump());
  }

 private:
  c10::Device device_;
  std::filesystem::path folder_;
};

c10::Device device_named(const std::string& name) {
  if (name == "cuda" && !torch::cuda::is_available())
    throw Error::misuse("this build or this machine has no CUDA", "use --device cpu");
  return c10::Device(name);
}

}  // namespace
}  // namespace lucivox::bench

int main(int argc, char** argv) {
  using namespace lucivox::bench;
  return guarded_main([&] {
    const c10::Device device = device_named(argc > 1 ? argv[1] : "cpu");
    const Suite suite(device, start(argc - 1, argv + 1));
    serve({{"check", [&] { suite.check(); }}});
  });
}
