// What a user of `lucivox prune` does: make a model sparse, smaller, and dense again.
#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/base/files.h>
#include <lucivox/nn/model.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/networks/tomogan.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

double convolution_weights(const Graph& graph) {
  double weights = 0;
  for (const WeightSpec& spec : graph.weights()) {
    if (spec.shape.size() == 4) weights += static_cast<double>(c10::multiply_integers(spec.shape));
  }
  return weights;
}

class PruneCommand : public ::testing::Test {
 protected:
  // Weights large enough that the picture depends on them.
  void SetUp() override {
    const torch::NoGradGuard no_grad;
    torch::manual_seed(1);
    const Model model{
        Weights(ddnet({.growth = 4}), 1), {}, "m", {{"steps", 3}}, "0", std::nullopt, reflected_border(32)};
    for (const auto& [name, weight] : model.weights.parameters())
      weight.add_(0.1 * torch::randn_like(weight));
    save_model(path("dense"), model);
  }

  fs::path path(const std::string& model) const { return folder_ / (model + ".safetensors"); }

  Outcome prune(const std::string& from, const std::string& to,
                const std::vector<std::string>& options) const {
    std::vector<std::string> arguments{"prune", path(from).string(), path(to).string()};
    arguments.insert(arguments.end(), options.begin(), options.end());
    return run_command(arguments);
  }

  at::Tensor enhanced_by(const std::string& model) const {
    const fs::path in = folder_ / "in.nii", out = folder_ / (model + ".nii");
    torch::manual_seed(1);
    write_image(in, torch::randn({1, 48, 40}) * 300);
    const Outcome outcome =
        run_command({"enhance", path(model).string(), in.string(), out.string(), "--quiet"});
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return read_image(out);
  }

  void expect_refused(const std::string& from, const std::string& to, const std::vector<std::string>& options,
                      const std::string& says) const {
    const std::string before = fs::exists(path(to)) ? read_file(path(to)) : "";
    const Outcome outcome = prune(from, to, options);
    EXPECT_TRUE(is_clear_error(outcome)) << fmt::format("{}", outcome.code) << " " << outcome.error;
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
    EXPECT_EQ(fs::exists(path(to)) ? read_file(path(to)) : "", before);
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      EXPECT_EQ(entry.path().string().find(".partial"), std::string::npos) << entry.path();
  }

  TemporaryFolder folder_;
};

// Any network of the project: the generator of TomoGAN, too.
TEST_F(PruneCommand, TakesTomogan) {
  save_model(path("tomogan"), {Weights(tomogan(), 1), {}, "t", {}, "0"});
  const Outcome sparse = prune("tomogan", "sparse", {"--criterion", "magnitude", "--json"});
  ASSERT_EQ(sparse.code, 0) << sparse.error;
  const Json json = Json::parse(sparse.out);
  double kept = 0, total = 0;
  for (const Json& layer : json.at("layers")) {
    kept += layer.at("kept").get<double>();
    total += layer.at("total").get<double>();
  }
  EXPECT_EQ(total, convolution_weights(tomogan()));
  EXPECT_NEAR(kept / total, 0.5, 1e-4);
  const Outcome small = prune("tomogan", "small", {"--criterion", "filters-l1", "--shrink", "--json"});
  ASSERT_EQ(small.code, 0) << small.error;
  const int64_t left = load_model(path("small")).weights.graph().parameter_count();
  EXPECT_EQ(Json::parse(small.out).at("after").at("parameters"), left);
  EXPECT_LT(static_cast<double>(left), 0.7 * total) << "half, but for what skips protect";
}

TEST_F(PruneCommand, TellsAndWritesWhatIsLeft) {
  for (const char* criterion : {"random", "magnitude", "magnitude-global", "filters-l1", "filters-l2",
                                "channels-l1", "channels-l2", "corners", "2:4"}) {
    const Outcome outcome = prune("dense", "sparse", {"--criterion", criterion, "--json"});
    ASSERT_EQ(outcome.code, 0) << criterion << ": " << outcome.error;
    const Json json = Json::parse(outcome.out);
    const Model sparse = load_model(path("sparse"));
    ASSERT_EQ(json.at("layers").size(), 45U) << criterion;
    for (const Json& layer : json.at("layers")) {
      const at::Tensor& weight = sparse.weights.weight(layer.at("name").get<std::string>() + ".weight");
      EXPECT_EQ(layer.at("kept"), weight.count_nonzero().item<int64_t>()) << criterion << " " << layer;
      EXPECT_EQ(layer.at("total"), weight.numel()) << criterion << " " << layer;
    }
    EXPECT_EQ(sparse.training.at("pruning").at("criterion"), criterion);
    EXPECT_EQ(sparse.training.at("steps"), 3) << "the history before is kept";
  }
}

// Smaller on the disk and in the table, the same picture; expanded it is the sparse model again.
TEST_F(PruneCommand, ShrinksAndExpands) {
  ASSERT_EQ(prune("dense", "sparse", {"--criterion", "filters-l1"}).code, 0);
  const Outcome shrunk = prune("dense", "small", {"--criterion", "filters-l1", "--shrink", "--json"});
  ASSERT_EQ(shrunk.code, 0) << shrunk.error;
  const Json json = Json::parse(shrunk.out);
  EXPECT_LT(json.at("after").at("gflop_512x512"), 0.7 * json.at("before").at("gflop_512x512").get<double>());
  EXPECT_EQ(json.at("after").at("parameters"), load_model(path("small")).weights.graph().parameter_count());
  const at::Tensor by_sparse = enhanced_by("sparse");
  EXPECT_GT((by_sparse - enhanced_by("dense")).abs().max().item<double>(), 1) << "pruning shows";
  EXPECT_LT((enhanced_by("small") - by_sparse).abs().max().item<double>(), 1e-5 * 3072)
      << "shrinking does not";

  ASSERT_EQ(prune("small", "again", {"--expand"}).code, 0);
  const Model sparse = load_model(path("sparse")), again = load_model(path("again"));
  for (const char* name : {"small", "again"}) {
    EXPECT_EQ(load_model(path(name)).border.rule, Border::Rule::Reflect) << name;
    EXPECT_EQ(load_model(path(name)).border.margin, 32) << name;
  }
  for (const auto& [name, weight] : sparse.weights.parameters())
    EXPECT_TRUE(at::equal(again.weights.weight(name), weight)) << name;
}

// As after a training by the hybrid schedule: the zeros are there, no criterion is needed.
TEST_F(PruneCommand, ShrinksWhatIsSparseAlready) {
  ASSERT_EQ(prune("dense", "sparse", {"--criterion", "channels-l2", "--amount", "0.7"}).code, 0);
  ASSERT_EQ(prune("sparse", "small", {"--shrink"}).code, 0);
  EXPECT_LT(load_model(path("small")).weights.graph().parameter_count(),
            load_model(path("sparse")).weights.graph().parameter_count());
  const Json info = Json::parse(run_command({"info", "--json", path("small").string()}).out);
  EXPECT_EQ(info.at("removed").at("dense_parameters"), ddnet({.growth = 4}).parameter_count());
  EXPECT_GT(info.at("removed").at("filters"), 0);
  EXPECT_EQ(info.at("training").at("pruned"), true) << "as its removed filters say";
}

TEST_F(PruneCommand, RefusesBadRequests) {
  expect_refused("none", "out", {"--criterion", "random"}, "none.safetensors");
  for (const char* amount : {"1", "-0.5", "nan", "many"})
    expect_refused("dense", "out", {"--criterion", "random", "--amount", amount}, "amount");
  expect_refused("dense", "out", {"--criterion", "2:4", "--amount", "0.4"}, "2:4");
  expect_refused("dense", "out", {"--criterion", "structured"}, "channels-l2");
  expect_refused("dense", "out", {"--criterion", "random", "--targets", "pooling"}, "deconvolution");
  expect_refused("dense", "out", {"--criterion", "filters-l1", "--amount", "0.99"}, "nothing of");
  expect_refused("dense", "out", {}, "nothing to do");
  expect_refused("dense", "dense", {"--criterion", "random"}, "it is the input");
  expect_refused("dense", "none/out", {"--criterion", "random"}, "none");
  write_file(path("text"), "no model");
  expect_refused("text", "out", {"--criterion", "random"}, "text.safetensors");
}

TEST_F(PruneCommand, RefusesToShrinkTwiceAndToExpandDenseModels) {
  ASSERT_EQ(prune("dense", "small", {"--criterion", "filters-l1", "--shrink"}).code, 0);
  expect_refused("small", "out", {"--criterion", "filters-l1"}, "shrunk already");
  expect_refused("small", "out", {"--shrink"}, "shrunk already");
  expect_refused("dense", "out", {"--expand"}, "not shrunk");
  expect_refused("small", "small", {"--expand"}, "it is the input");
  expect_refused("small", "out", {"--expand", "--criterion", "random"}, "--expand");
}

}  // namespace
}  // namespace lucivox
