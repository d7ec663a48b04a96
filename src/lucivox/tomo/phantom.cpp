#include <cmath>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/tomo/field.h>
#include <lucivox/tomo/phantom.h>
#include <lucivox/tomo/phantom/paint.h>

namespace lucivox {
namespace {

constexpr double kLowestHu = -1024, kHighestHu = 2500;

// Independent random numbers for each layer, so that a change to one leaves the others as they are.
enum Layer : uint64_t { Build, Centre, Wall, Lungs, Mediastinal, Trees, Bones, Table, Texture };

}  // namespace

at::Tensor chest_phantom(int64_t size, double field_mm, uint64_t seed) {
  if (size < 16) {
    throw Error::misuse(fmt::format("a phantom of {} x {} pixels", size, size), "at least 16 x 16");
  }
  if (!(field_mm > 0) || !std::isfinite(field_mm)) {
    throw Error::misuse(fmt::format("a phantom of {} mm", field_mm), "a chest needs about 400 mm");
  }
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

}  // namespace lucivox
