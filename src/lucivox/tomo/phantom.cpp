#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/tomo/phantom.h>
#include <lucivox/tomo/phantom/paint.h>

namespace lucivox {
namespace {

constexpr double kAirHu = -1000, kLowestHu = -1024, kHighestHu = 2500;

// Independent random numbers for each layer, so that a change to one leaves the others as they are.
enum Layer : uint64_t { Build, Centre, Wall, Lungs, Mediastinal, Trees, Bones, Table, Texture };

void require_sound(int64_t size, double field_mm) {
  if (size < 16) {
    throw Error::misuse(fmt::format("a phantom of {} x {} pixels", size, size), "at least 16 x 16");
  }
  if (!(field_mm > 0) || !std::isfinite(field_mm)) {
    throw Error::misuse(fmt::format("a phantom of {} mm", field_mm), "a chest needs about 400 mm");
  }
}

}  // namespace

at::Tensor chest_phantom(int64_t size, double field_mm, uint64_t seed) {
  require_sound(size, field_mm);
  using namespace phantom;
  const auto random = [seed](Layer layer) { return Random(seed, layer); };
  Random build = random(Build), centre = random(Centre), wall = random(Wall), lungs = random(Lungs);
  Random mediastinal = random(Mediastinal), trees = random(Trees), bones = random(Bones),
         table = random(Table);
  const Noise noise(derive_seed(seed, Texture));
  const Chest chest = random_chest(build);
  const Mediastinum mediastinum = random_mediastinum(chest, centre);

  at::Tensor hu = at::full({size, size}, kAirHu, at::kFloat);
  Canvas canvas(hu.mutable_data_ptr<float>(), size, field_mm);
  paint_table(canvas, chest, table);
  paint_wall(canvas, chest, noise, wall);
  paint_lungs(canvas, chest, noise, lungs);
  paint_mediastinum(canvas, chest, mediastinum, noise, mediastinal);
  paint_lung_trees(canvas, chest, mediastinum, noise, trees);
  paint_bones(canvas, chest, mediastinum, noise, bones);
  return hu.clamp_(kLowestHu, kHighestHu);
}

at::Tensor calibration_phantom(int64_t size, double field_mm, uint64_t seed) {
  require_sound(size, field_mm);
  using namespace phantom;
  constexpr double body_mm = 150, insert_mm = 50, ring_mm = 85;
  constexpr int inserts = 4;
  Random random(seed);
  at::Tensor hu = at::full({size, size}, kAirHu, at::kFloat);
  Canvas canvas(hu.mutable_data_ptr<float>(), size, field_mm);
  const auto disc = [&](Point centre, double radius, double value) {
    canvas.paint(
        around(centre, radius), [=](Point p) { return length(p.x - centre.x, p.y - centre.y) - radius; },
        plain(value));
  };
  disc({0, 0}, body_mm, random.uniform(-100, 100));
  const double turn = random.uniform(0, 360);
  for (int i = 0; i < inserts; ++i) {
    const double angle = radians(turn + i * 360.0 / inserts);
    disc({ring_mm * std::cos(angle), ring_mm * std::sin(angle)}, insert_mm * random.uniform(0.9, 1.05),
         random.uniform(-1000, 1000));
  }
  return hu;
}

}  // namespace lucivox
