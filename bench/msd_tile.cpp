// Our side of msd-tile: a Mixed-Scale Dense network of 100K parameters over a tile, as `lucivox segment` runs
// it. `bench_msd_tile SIDE BORDER FOLDER THREADS`

#include <filesystem>
#include <string>
#include <utility>

#include "worker.h"
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <lucivox/exec/network.h>
#include <lucivox/nn/networks/msdnet.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox::bench {
namespace {

constexpr uint64_t kSeed = 1;

class Tile {
 public:
  Tile(std::filesystem::path folder, int64_t side, const std::string& border)
      : folder_(std::move(folder)), network_(msdnet({.border = msdnet_border(border)}), kSeed) {
    at::manual_seed(kSeed);
    input_ = at::randn({1, 1, side, side, side});
    // outputs begin at 0, biases too
    for (const auto& [name, weight] : network_.weights().parameters()) {
      if (weight.dim() == 1 || name.starts_with("out.")) weight.normal_(0, 0.1);
    }
  }

  void prepare() {
    NamedTensors all = network_.weights().state();
    all.emplace_back("input", input_);
    write_safetensors(folder_ / "network.safetensors", {all, {}});
  }
  void check() {
    step();
    write_safetensors(folder_ / "ours.safetensors", {{{"output", output_}}, {}});
  }
  void step() { output_ = network_.forward(input_, Mode::Evaluation); }

 private:
  std::filesystem::path folder_;
  const at::NoGradGuard no_grad_;
  Network network_;
  at::Tensor input_, output_;
};

}  // namespace
}  // namespace lucivox::bench

int main(int argc, char** argv) {
  using namespace lucivox::bench;
  return guarded_main([&] {
    std::filesystem::path folder = start(argc - 2, argv + 2);
    Tile tile(std::move(folder), std::stoll(argv[1]), argv[2]);
    serve({{"prepare", [&] { tile.prepare(); }}, {"check", [&] { tile.check(); }}, {"step", [&] {
                                                                                      tile.step();
                                                                                    }}});
  });
}
