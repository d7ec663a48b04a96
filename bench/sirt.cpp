// Our side of sirt: SIRT on a stack of slices, as sirt() iterates; what its time grows with, and how near A
// and A' come to what the machine can do.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "peaks.h"
#include "worker.h"
#include <ATen/ATen.h>

#include <lucivox/base/config.h>
#include <lucivox/nn/safetensors.h>
#include <lucivox/tomo/project.h>
#include <lucivox/tomo/sirt.h>

namespace lucivox::bench {
namespace {

struct Work {
  int64_t slices, views, side;  // side: rows, columns and detectors
};

ScanGeometry scan_of(const Work& work) {
  return {
      .angles_rad = half_turn(work.views), .detectors = work.side, .rows = work.side, .columns = work.side};
}

Json read_json(const std::filesystem::path& path) {
  std::ifstream file(path);
  return Json::parse(file);
}

double median_seconds(int64_t times, const std::function<void()>& body) {
  body();  // memory and caches warm
  std::vector<double> seconds;
  for (int64_t i = 0; i < times; ++i) seconds.push_back(seconds_of(body));
  std::nth_element(seconds.begin(), seconds.begin() + times / 2, seconds.end());
  return seconds[static_cast<size_t>(times / 2)];
}

// How many pairs of pixels A meets in one slice: rays times the lines on which a ray has a pixel beside it.
double meetings(const ScanGeometry& scan) {
  int64_t met = 0;
  for (const JosephRay& ray : ray_scan(scan).rays) {
    const int64_t lines = ray.by_columns ? scan.columns : scan.rows;
    const auto middle = static_cast<float>((ray.by_columns ? scan.rows : scan.columns) - 1) / 2;
    for (int64_t l = 0; l < lines; ++l) {
      const float from_middle = static_cast<float>(l) - static_cast<float>(lines - 1) / 2;
      if (std::abs(ray.middle + ray.slope * from_middle) < middle + 1) ++met;
    }
  }
  return static_cast<double>(met);
}

class Reconstruction {
 public:
  explicit Reconstruction(std::filesystem::path folder)
      : folder_(std::move(folder)), plan_(read_json(folder_ / "plan.json")) {
    plan_.at("slices").get_to(work_.slices);
    plan_.at("views").get_to(work_.views);
    plan_.at("side").get_to(work_.side);
    plan_.at("iterations").get_to(iterations_);
    plan_.at("repeats").get_to(repeats_);
  }

  double units() const { return static_cast<double>(work_.slices * iterations_); }

  // Writes the images of those slices that the peer computes too.
  void check() {
    sino_ = read_safetensors(folder_ / "sino.safetensors").tensors.front().second;
    sirt_.emplace(sino_, scan_of(work_), SirtOptions{});
    step();
    const at::Tensor compared = at::tensor(plan_.at("compared").get<std::vector<int64_t>>(), at::kLong);
    write_safetensors(folder_ / "ours.safetensors",
                      {{{"images", sirt_->image().index_select(0, compared)}}, {}});
  }

  void step() {
    for (int64_t i = 0; i < iterations_; ++i) sirt_->iterate();
  }

  // Seconds of an iteration at every work of the plan's curves.
  void curves() const {
    Json seconds = Json::array();
    for (const Json& point : plan_.at("points")) {
      const Work work{point[0], point[1], point[2]};
      Sirt sirt(at::rand({work.slices, work.views, work.side}), scan_of(work), {});
      seconds.push_back(median_seconds(repeats_, [&] { sirt.iterate(); }));
    }
    write("curves.json", seconds);
  }

  // What the machine can do, what A and A' must do at least, and how long they take.
  void limits() {
    const ScanGeometry scan = scan_of(work_);
    const Projector projector(scan);
    const auto slices = static_cast<double>(work_.slices);
    const double bytes = sizeof(float) * static_cast<double>(sirt_->image().numel() + sino_.numel());
    write("limits.json", {{"peak_fma_per_s", peak_fma_per_s()},
                          {"copy_bytes_per_s", copy_bytes_per_s()},
                          {"fma", 2 * slices * meetings(scan)},
                          {"least_bytes", bytes},
                          {"A_s", median_seconds(repeats_, [&] { projector.forward(sirt_->image()); })},
                          {"A'_s", median_seconds(repeats_, [&] { projector.adjoint(sino_); })},
                          {"iteration_s", median_seconds(repeats_, [&] { sirt_->iterate(); })}});
  }

 private:
  void write(const char* name, const Json& json) const {
    std::ofstream(folder_ / name) << json.dump() << '\n';
  }

  std::filesystem::path folder_;
  Json plan_;
  Work work_{};
  int64_t iterations_ = 0, repeats_ = 0;
  at::Tensor sino_;
  std::optional<Sirt> sirt_;
};

}  // namespace
}  // namespace lucivox::bench

int main(int argc, char** argv) {
  using namespace lucivox::bench;
  return guarded_main([&] {
    Reconstruction work(start(argc, argv));
    serve({{"prepare", [] {}},
           {"check", [&] { work.check(); }},
           {"step", [&] { work.step(); }},
           {"curves", [&] { work.curves(); }},
           {"limits", [&] { work.limits(); }}},
          work.units());
  });
}
