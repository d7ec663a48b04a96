// What changes only how the code is built or arranged gives the same numbers to the last bit.
// tests/golden/same_bits.json holds those of earlier builds, by processor, instruction set and number of
// threads; tests/golden/make_same_bits.py adds those of another processor.
#include <cstdlib>
#include <fstream>

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/run_lines.h>
#include <tests/temporary_folder.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/open.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/program/device.h>
#include <lucivox/program/enhancement.h>
#include <lucivox/program/simulation.h>
#include <lucivox/program/training.h>
#include <lucivox/train/run_folder.h>

namespace lucivox {
namespace {

// 64-bit FNV-1a of a tensor's numbers.
std::string hash_of(const at::Tensor& values, uint64_t hash = 0xcbf29ce484222325) {
  const at::Tensor packed = values.cpu().contiguous();
  const auto* bytes = static_cast<const unsigned char*>(packed.data_ptr());
  for (size_t i = 0; i < packed.nbytes(); ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

std::string hash_of(const NamedTensors& tensors) {
  std::string all = "cbf29ce484222325";
  for (const auto& [name, values] : tensors) all = hash_of(values, std::stoull(all, nullptr, 16));
  return all;
}

std::string hash_of(const std::filesystem::path& image) {
  const auto source = open(image);
  return hash_of(source->read(whole(source->info())));
}

// Rounding depends on the processor: libtorch's own libraries choose by more than its instructions.
std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::map<std::string, std::string> of;
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t end = line.find_last_not_of("\t ", colon - 1);
    of[line.substr(0, end + 1)] = line.substr(std::min(colon + 2, line.size()));
  }
  return fmt::format("{} family {} model {}", of["vendor_id"], of["cpu family"], of["model"]);
}

// The test runs once more with libtorch held to AVX2, by the variables that its parts read when they are
// loaded.
std::string keep_to_the_same_target() {
  const char* libtorch = std::getenv("ATEN_CPU_CAPABILITY");
  if (libtorch != nullptr && libtorch == std::string("avx2"))
    hwy::SetSupportedTargetsForTest(hwy::SupportedTargets() &
                                    ~(HWY_AVX2 - 1));  // lower bits are better targets
  return hwy::TargetName(hwy::SupportedTargets() & -hwy::SupportedTargets());
}

struct Kind {
  const char *name, *train;  // as in a configuration
  const char* network = "ddnet";
  const char* options = "{}";
};

const Kind kKinds[] = {
    {"ddnet", R"({"epochs": 5, "crop": 32})"},
    {"ddnet of the paper", R"({"epochs": 10, "batch": 2, "crop": 0, "margin": 0, "vary_levels": 0,
                               "freeze_norms_after": 0, "normalize_gradients": false, "augment": false})",
     "ddnet", R"({"statistics": "batch"})"},
    {"ddnet with half of its filters", R"({"epochs": 5, "crop": 32, "sparsity": {"criterion": "filters-l1",
                                           "amount": 0.5, "dense_epochs": 2}})"},
    {"ddnet with 2 of 4 weights",
     R"({"epochs": 5, "crop": 32, "sparsity": {"criterion": "2:4", "dense_epochs": 2}})"},
    {"ddnet in bf16", R"({"epochs": 5, "crop": 32, "precision": "bf16"})"},
    {"tomogan", R"({"epochs": 20, "batch": 1, "crop": 32, "loss": {"perceptual": {"network": "none"}}})",
     "tomogan"},
};

struct Case {
  Kind kind;
  int threads;
};

class SameBits : public ::testing::TestWithParam<Case> {};

// 20 steps, and what the model makes of a slice.
TEST_P(SameBits, AsInEarlierBuilds) {
  const auto& [kind, threads] = GetParam();
  const std::string key = fmt::format("{}, {}, {} threads", processor(), keep_to_the_same_target(), threads);
  use_threads(threads);
  const TemporaryFolder folder;
  CtSimulation simulation;
  simulation.size = 64;
  Reporter& quiet = silence();
  simulate_ct_files({folder / "data"}, simulation, 0, 4, quiet, {});
  Json train = Json::parse(kind.train);
  train["checkpoint_minutes"] = 60;
  TrainingJob job;
  job.network = kind.network;
  job.configuration = {{"data", {{"train", (folder / "data").string()}, {"validation", false}}},
                       {"network", Json::parse(kind.options)},
                       {"train", train}};
  job.run = folder / "run";
  run_training(job, quiet, {});
  const std::filesystem::path weights = RunFolder::model_of(folder / "run"),
                              slice = folder / "data" / "LQ" / "slice_0000.tif";
  Model model = load_model(weights);
  enhance_files(model, slice, {folder / "enhanced.tif"}, quiet, {});

  Json now = {{"losses", Json::array()},
              {"simulated", hash_of(slice)},
              {"model", hash_of(read_safetensors(weights).tensors)},
              {"enhanced", hash_of(folder / "enhanced.tif")}};
  for (const Json& line : run_lines(folder / "run"))
    if (line.at("kind") == "step") now["losses"].push_back(line.at("loss"));
  EXPECT_EQ(now["losses"].size(), 20);

  const Json earlier = Json::parse(read_file(LUCIVOX_GOLDEN "/same_bits.json")).value(key, Json::object());
  if (!earlier.contains(kind.name)) {
    fmt::print("same-bits {}\n", Json({{"key", key}, {"kind", kind.name}, {"now", now}}).dump());
    GTEST_SKIP() << "tests/golden/same_bits.json has nothing for " << key;
  }
  for (const auto& [what, value] : now.items()) EXPECT_EQ(value, earlier[kind.name].at(what)) << what;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Kind& kind : kKinds)
    for (const int threads : {1, 2}) all.push_back({kind, threads});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Trainings, SameBits, ::testing::ValuesIn(cases()),
                         [](const ::testing::TestParamInfo<Case>& of) {
                           std::string name =
                               fmt::format("{}_{}_threads", of.param.kind.name, of.param.threads);
                           for (char& letter : name)
                             if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
                           return name;
                         });

}  // namespace
}  // namespace lucivox
