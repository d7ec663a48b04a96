// Our sides of ddnet-ablation: DDNet's training step with any choice of what makes it fast.
// `bench_ddnet_ablation SETTING FOLDER THREADS`; SETTING is JSON, see below.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "traffic.h"
#include "worker.h"
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn_like.h>
#include <ATen/ops/stack.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <fmt/format.h>
#include <torch/cuda.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/networks/ddnet.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/nn/shrinking.h>
#include <lucivox/sparse/shrink.h>
#include <lucivox/tomo/simulate_ct.h>
#include <lucivox/train/memory_use.h>
#include <lucivox/train/run_folder.h>
#include <lucivox/train/step.h>
#include <lucivox/train/supervised.h>
#include <lucivox/train/trainer.h>
#ifdef LUCIVOX_BENCH_TIFF
#include <lucivox/formats/open.h>
#endif

namespace fs = std::filesystem;

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;
Reporter& kQuiet = silence();

struct Setting {
  std::string name;                      // of the side; it writes NAME.json
  std::string device = "cpu";            // or cuda
  std::string data;                      // folder of the slices to learn from
  std::string held_out;                  // and of those to judge by, for "train"
  int64_t slices = 0, size = 0;          // that "prepare" makes of them
  std::string network = "dense";         // "masked": half of the filters pruned, "shrunk": and gone
  int64_t checked_steps = 3, steps = 1;  // of "check", and of one "step"
  SupervisedOptions train;
};

Setting setting_from(const std::string& text) {
  Setting s;
  ConfigTable table(Json::parse(text), "setting");
  table.read("name", s.name);
  table.read("device", s.device);
  table.read("data", s.data);
  table.read("held_out", s.held_out);
  table.read("slices", s.slices);
  table.read("size", s.size);
  table.read("network", s.network);
  table.read("checked_steps", s.checked_steps);
  table.read("steps", s.steps);
  s.train = supervised_options_from_json(table.table("train"));
  table.finish();
  if (s.device == "cuda" && !torch::cuda::is_available())
    throw Error::misuse("this build or this machine has no CUDA", "leave out --device cuda");
  return s;
}

// Slices wait in TIFF files, or in safetensors where nothing but what computes was built.
#ifdef LUCIVOX_BENCH_TIFF
constexpr char kExtension[] = "tif";

void write_slice(const fs::path& path, const at::Tensor& hu_YX) {
  ImageInfo info;
  info.shape = {1, hu_YX.size(0), hu_YX.size(1)};
  info.units = Units::HU;
  const auto sink = create(path, info);
  sink->write(whole(info), hu_YX.unsqueeze(0));
  sink->commit();
}

std::unique_ptr<ImageSource> open_slice(const fs::path& path) {
  return open(path);
}
#else
constexpr char kExtension[] = "safetensors";

void write_slice(const fs::path& path, const at::Tensor& hu_YX) {
  write_safetensors(path, {{{"slice", hu_YX.unsqueeze(0)}}, {}});
}

std::unique_ptr<ImageSource> open_slice(const fs::path& path) {
  return memory_source(read_safetensors(path).tensors.front().second, {}, path.string());
}
#endif

fs::path slice_path(const fs::path& folder, const char* part, int64_t index) {
  return folder / part / fmt::format("slice_{:04}.{}", index, kExtension);
}

void write_pairs(const fs::path& folder, const CtSimulation& simulation) {
  for (const char* part : {"LQ", "HQ"}) fs::create_directories(folder / part);
  for (int64_t first = 0; first < simulation.slices; first += kCtGroup) {
    const int64_t count = std::min(kCtGroup, simulation.slices - first);
    const CtPairs pairs = simulate_ct(simulation, first, count);
    for (int64_t i = 0; i < count; ++i) {
      write_slice(slice_path(folder, "LQ", first + i), pairs.low_dose[i]);
      write_slice(slice_path(folder, "HQ", first + i), pairs.full_dose[i]);
    }
  }
}

std::unique_ptr<PairedSlices> pairs_in(const fs::path& folder) {
  std::vector<VolumePair> pairs;
  for (int64_t i = 0; fs::exists(slice_path(folder, "LQ", i)); ++i) {
    const auto opener = [&](const char* part) {
      return [path = slice_path(folder, part, i)] { return open_slice(path); };
    };
    pairs.push_back({opener("LQ"), opener("HQ")});
  }
  return paired_slices(std::move(pairs));
}

Network on_device(Network network, const Setting& setting) {
  network.weights().to(at::TensorOptions(setting.device).dtype(at::kFloat));
  compute_in(setting.train.precision, network);
  return network;
}

// What all sides start from; its biases are off their initial 0 (ddnet_train.cpp tells why).
void write_weights(const fs::path& path) {
  const at::NoGradGuard no_grad;
  Network network(ddnet(), kSeed);
  at::manual_seed(kSeed);
  for (const auto& [name, weight] : network.weights().parameters()) {
    if (weight.dim() == 1) weight.add_(at::randn_like(weight), 0.1);
  }
  write_safetensors(path, {network.weights().state(), {}});
}

Network starting_network(const fs::path& folder) {
  Network network(ddnet(), kSeed);
  network.weights().load_state(read_safetensors(folder / "weights.safetensors").tensors);
  return network;
}

// The training step as train() runs it.
class Stepping {
 public:
  Stepping(const Setting& setting, const fs::path& folder)
      : setting_(setting),
        pairs_(pairs_in(folder / setting.data)),
        network_(chosen(starting_network(folder))) {
    task_ = supervised(*pairs_, nullptr, {}, setting_.train, network_, kQuiet);
    staged_ = task_->moved();
    const auto loss = [this](const std::vector<at::Tensor>& batch, Mode mode) {
      return task_->loss(network_, batch, mode);
    };
    step_.emplace(network_, loss, adam_, held_, setting_.train, Ranks());
  }

  std::vector<at::Tensor> next_batch() {
    const int64_t step = done_++, each = task_->steps_per_epoch();
    return task_->batch(step / each, step % each);
  }

  double step() {
    return step_->run(next_batch(), Mode::Training, setting_.train.learning_rate).item<double>();
  }

  int64_t skipped() const { return step_->scale() ? step_->scale()->skipped() : 0; }

  // Gives the device's memory back, the captured step's too, so that many sides share one GPU in turns.
  void rest() {
    step_->renew();
    if (!network_.weights().device().is_cpu())
      c10::getDeviceAllocator(network_.weights().device().type())->emptyCache();
  }

  // As many steps as it takes until a step is captured again.
  void wake() {
    const int64_t captures = step_->captures();
    do step();
    while (setting_.train.capture && !network_.weights().device().is_cpu() && step_->captures() == captures);
  }

  // An epoch's bytes are those that a GPU recorded; on a CPU, those that the loader copied.
  Json report() {
    const int64_t epoch = task_->steps_per_epoch();
    const auto run_epoch = [&] {
      for (int64_t i = 0; i < epoch; ++i) step();
    };
    const Json bytes = network_.weights().device().is_cpu() ? copied(epoch) : traffic_of(run_epoch);
    return {{"peak_memory", peak_memory(network_.weights().device())},
            {"steps", done_},
            {"steps_per_epoch", epoch},
            {"skipped", skipped()},
            {"captures", step_->captures()},
            {"weights", network_.graph().parameter_count()},
            {"staged", staged_.host_to_device},
            {"epoch_bytes", bytes}};
  }

 private:
  // By the epoch, without what was staged before the first.
  Json copied(int64_t epoch) const {
    Transfers moved = task_->moved();
    moved += step_->moved();
    return {{"host_to_device", (moved.host_to_device - staged_.host_to_device) * epoch / done_},
            {"device_to_device", (moved.device_to_device - staged_.device_to_device) * epoch / done_}};
  }

  Network chosen(Network dense) {
    Network network = on_device(std::move(dense), setting_);
    if (setting_.network == "dense") return network;
    held_ = pruning_masks(network.weights(), setting_.train.sparsity.pruning, kSeed);
    apply_masks(held_, network.weights());
    if (setting_.network == "masked") return network;
    held_.clear();  // whole filters went, and with them all that was pruned
    return on_device(Network(shrink(removable_channels(network.weights()), network.weights())), setting_);
  }

  Setting setting_;
  std::unique_ptr<PairedSlices> pairs_;
  Masks held_;
  Network network_;
  std::unique_ptr<TrainingTask> task_;
  Adam adam_{network_.weights()};
  std::optional<TrainingStep> step_;
  Transfers staged_;
  int64_t done_ = 0;
};

class Ablation {
 public:
  Ablation(Setting setting, fs::path folder) : setting_(std::move(setting)), folder_(std::move(folder)) {}

  // Slices, weights, and the checked steps' batches for a peer that has no loader of ours.
  void prepare() const {
    write_pairs(folder_ / setting_.data,
                resolve({.slices = setting_.slices, .size = setting_.size, .seed = setting_.train.seed}));
    write_weights(folder_ / "weights.safetensors");
    Stepping side(setting_, folder_);
    std::vector<at::Tensor> low, full;
    for (int64_t i = 0; i < setting_.checked_steps; ++i) {
      const std::vector<at::Tensor> batch = side.next_batch();
      low.push_back(batch[0].cpu());
      full.push_back(batch[1].cpu());
    }
    write_safetensors(folder_ / fmt::format("{}.batches.safetensors", setting_.data),
                      {{{"low", at::stack(low)}, {"full", at::stack(full)}}, {}});
  }

  void check() {
    side_.emplace(setting_, folder_);
    Json losses, skipped;
    for (int64_t i = 0; i < setting_.checked_steps; ++i) {
      losses.push_back(side_->step());
      skipped.push_back(side_->skipped());
    }
    tell({{"losses", losses}, {"skipped", skipped}});
  }

  void step() {
    for (int64_t i = 0; i < setting_.steps; ++i) side_->step();
  }

  void wake() { side_->wake(); }
  void rest() { side_->rest(); }
  void report() { tell(side_->report()); }

  // A whole training by the product's own loop, judged by slices that it has not seen.
  void train() const {
    const auto training = pairs_in(folder_ / setting_.data), held_out = pairs_in(folder_ / setting_.held_out);
    Network network = on_device(Network(ddnet(), setting_.train.seed), setting_);
    const auto task = supervised(*training, held_out.get(), {}, setting_.train, network, kQuiet);
    RunFolder run = RunFolder::create(folder_ / "runs" / setting_.name, Json::object());
    const TrainResult result =
        lucivox::train(network, *task, setting_.train, run, Start::Fresh, kQuiet, StopToken());
    tell({{"quality", fields_json(result.validation.value().quality)},
          {"sparsity", result.sparsity},
          {"skipped", result.skipped},
          {"seconds", result.seconds}});
  }

 private:
  void tell(const Json& answer) const { write_file(folder_ / (setting_.name + ".json"), answer.dump()); }

  Setting setting_;
  fs::path folder_;
  std::optional<Stepping> side_;
};

}  // namespace
}  // namespace lucivox::bench

int main(int argc, char** argv) {
  using namespace lucivox::bench;
  return guarded_main([&] {
    const Setting setting = setting_from(argc > 1 ? argv[1] : "{}");
    Ablation ablation(setting, start(argc - 1, argv + 1));
    serve({{"prepare", [&] { ablation.prepare(); }},
           {"check", [&] { ablation.check(); }},
           {"step", [&] { ablation.step(); }},
           {"wake", [&] { ablation.wake(); }},
           {"rest", [&] { ablation.rest(); }},
           {"report", [&] { ablation.report(); }},
           {"train", [&] { ablation.train(); }}},
          static_cast<double>(setting.steps));
  });
}
