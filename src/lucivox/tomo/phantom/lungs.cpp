#include <array>
#include <vector>

#include <lucivox/tomo/phantom/paint.h>
#include <lucivox/tomo/phantom/tree.h>

namespace lucivox::phantom {
namespace {

const double kBack = radians(90);

// A region with a soft, uneven edge where the lung is denser or thinner than elsewhere.
struct Cloud {
  Ellipse shape;
  double hu, softness_mm;
};

struct LungTissue {
  const Noise* noise;
  double hu, per_mm;  // denser towards the back, where the weight lies on it
  std::vector<Cloud> clouds;

  double operator()(Point p, double) const {
    double value = hu + per_mm * p.y + 22 * (*noise)(p, 1.1) + 14 * (*noise)(p, 3.3) + 12 * (*noise)(p, 19);
    for (const Cloud& cloud : clouds) {
      const Box box = grown(cloud.shape.box(), cloud.softness_mm * 2);
      if (p.x < box.left || p.x > box.right || p.y < box.top || p.y > box.bottom) continue;
      const double distance =
          cloud.shape(p) + cloud.softness_mm * (0.6 * (*noise)(p, 9) + 0.3 * (*noise)(p, 3));
      const double share = 1 - smooth_step(-cloud.softness_mm, cloud.softness_mm, distance);
      value += share * (cloud.hu + 30 * (*noise)(p, 2) - value);
    }
    return value;
  }
};

Point random_place(const Chest& chest, Random& random) {
  const double angle = random.uniform(0, radians(360));
  return chest.cage.at(angle, -random.uniform(8, 60));
}

std::vector<Cloud> random_clouds(const Chest& chest, Random& random) {
  std::vector<Cloud> clouds;
  const auto add = [&](double smallest, double largest, double hu, double softness) {
    const double size = random.uniform(smallest, largest);
    const Ellipse shape{random_place(chest, random), size, size * random.uniform(0.5, 1),
                        random.uniform(0, 3)};
    clouds.push_back({shape, hu, softness});
  };
  if (random.uniform() < 0.45) {  // ground glass
    for (int64_t i = 1 + random.integer(3); i > 0; --i)
      add(6, 28, random.uniform(-720, -500), random.uniform(4, 9));
  }
  if (random.uniform() < 0.3) {  // emphysema
    for (int64_t i = 4 + random.integer(24); i > 0; --i)
      add(2, 9, random.uniform(-970, -930), random.uniform(1, 3));
  }
  return clouds;
}

// One lung's trees: which side, where its vessels enter, and the places that they supply.
struct Lung {
  double side;  // -1 the patient's right
  Point3 hilum;
  std::vector<Point3> artery_targets, vein_targets;
};

// Targets crowd around the slice, since nobody sees the rest of the tree; those far off still lead the
// large vessels through it.
std::vector<Point3> targets(const Chest& chest, const Mediastinum& mediastinum, double side, size_t count,
                            Random& random) {
  const Box box = chest.cage.box();
  std::vector<Point3> places;
  for (int attempt = 0; attempt < 100000 && places.size() < count; ++attempt) {
    const Point p{random.uniform(box.left, box.right), random.uniform(box.top, box.bottom)};
    if ((p.x - chest.spine.x) * side < 0) continue;
    if (lung_distance(chest, mediastinum, p) < -2.5) places.push_back({p.x, p.y, random.normal(0, 14)});
  }
  return places;
}

Lung random_lung(const Chest& chest, const Mediastinum& mediastinum, double side, Random& random) {
  const Point hilum = chest.spine + Point{side * random.uniform(30, 40), random.uniform(-38, -26)};
  const double height = std::clamp((chest.level - 0.5) * 160, -40.0, 40.0) + random.uniform(-8, 8);
  Lung lung{side, {hilum.x, hilum.y, height}, {}, {}};
  lung.artery_targets = targets(chest, mediastinum, side, 800, random);
  lung.vein_targets = targets(chest, mediastinum, side, 550, random);
  return lung;
}

// The part of a three-dimensional tube that the slice cuts: its distance in the plane z = 0.
struct Cut {
  Point3 from, to;
  double from_radius, to_radius;

  bool visible() const {
    const double reach = std::max(from_radius, to_radius);
    return std::min(from.z, to.z) < reach && std::max(from.z, to.z) > -reach;
  }
  double operator()(Point p) const {
    const Point3 axis{to.x - from.x, to.y - from.y, to.z - from.z}, d{p.x - from.x, p.y - from.y, -from.z};
    const double squared = axis.x * axis.x + axis.y * axis.y + axis.z * axis.z + 1e-9;
    const double t = std::clamp((d.x * axis.x + d.y * axis.y + d.z * axis.z) / squared, 0.0, 1.0);
    return distance(d, {t * axis.x, t * axis.y, t * axis.z}) - (from_radius + t * (to_radius - from_radius));
  }
  Box box() const { return hull(around({from.x, from.y}, from_radius), around({to.x, to.y}, to_radius)); }
};

Cut cut_of(const std::vector<Branch>& tree, const Branch& branch) {
  const Branch& parent = tree[static_cast<size_t>(branch.parent)];
  return {parent.end, branch.end, std::min(parent.radius, branch.radius * 1.15), branch.radius};
}

template <typename Value>
void paint_cut(Canvas& canvas, const Cut& cut, const Value& value) {
  if (!cut.visible()) return;
  canvas.paint_tube(cut.box(), std::max(cut.from_radius, cut.to_radius), cut, value);
}

void paint_vessels(Canvas& canvas, const std::vector<Branch>& tree, const Tissue& blood) {
  for (const Branch& branch : tree) {
    if (branch.parent >= 0) paint_cut(canvas, cut_of(tree, branch), blood);
  }
}

// Every artery has a bronchus of about its own width at its side, visible down to about 1 mm.
void paint_bronchi(Canvas& canvas, const std::vector<Branch>& arteries, double side, double wall_hu) {
  std::vector<Cut> lumens;
  const auto beside = [&](const Point3& p, double radius) {
    const double away = 1.9 * radius + 0.6;
    return Point3{p.x - 0.5 * side * away, p.y + 0.6 * away, p.z - 0.62 * away};
  };
  for (const Branch& branch : arteries) {
    if (branch.parent < 0 || branch.radius < 0.95) continue;
    const Cut artery = cut_of(arteries, branch);
    const double lumen = 0.8;
    lumens.push_back({beside(artery.from, artery.from_radius), beside(artery.to, artery.to_radius),
                      artery.from_radius * lumen, artery.to_radius * lumen});
  }
  for (Cut wall : lumens) {
    const double thickness = 0.35 + 0.16 * wall.to_radius;
    wall.from_radius += thickness;
    wall.to_radius += thickness;
    paint_cut(canvas, wall, plain(wall_hu));
  }
  for (const Cut& lumen : lumens) paint_cut(canvas, lumen, plain(-990));
}

// The double layer of pleura between two lobes, a line finer than a pixel.
void paint_fissure(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, double side,
                   Random& random) {
  const Point outer = chest.cage.at(kBack - side * radians(random.uniform(70, 130)));
  const Point inner = chest.spine + Point{side * 20, random.uniform(-40, -10)};
  const Point middle = (outer + inner) * 0.5 + Point{0, random.uniform(-14, 4)};
  const double radius = random.uniform(0.25, 0.5);
  constexpr int kPieces = 12;
  const auto at = [&](int i) {  // a parabola through the three (Bezier)
    const double t = static_cast<double>(i) / kPieces;
    return outer * ((1 - t) * (1 - t)) + middle * (2 * t * (1 - t)) + inner * (t * t);
  };
  for (int i = 0; i < kPieces; ++i) {
    const Tube piece{at(i), at(i + 1), radius, radius};
    const auto within = [&](Point p) { return std::max(piece(p), lung_distance(chest, mediastinum, p)); };
    canvas.paint_tube(piece.box(), radius, within, plain(-620));
  }
}

void paint_nodules(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, const Noise& noise,
                   Random& random) {
  for (int64_t i = random.integer(5); i > 0; --i) {
    const double radius = 1.5 * std::pow(6.5, random.uniform() * random.uniform());  // mostly small
    const Point centre = random_place(chest, random);
    if (lung_distance(chest, mediastinum, centre) > -0.7 * radius) continue;
    const double hu = random.uniform() < 0.12 ? random.uniform(300, 900) : random.uniform(10, 70);
    const double uneven = random.uniform(0.05, 0.18) * radius;
    const Ellipse body{centre, radius, radius * random.uniform(0.8, 1), random.uniform(0, 3)};
    if (radius > 3 && random.uniform() < 0.5) {  // spiculated
      for (int64_t k = 6 + random.integer(8); k > 0; --k) {
        const double angle = random.uniform(0, radians(360)), reach = radius * random.uniform(1.3, 2.2);
        const Tube spicule{centre, centre + Point{std::cos(angle), std::sin(angle)} * reach, radius * 0.35,
                           0.2};
        canvas.paint(spicule, plain(hu - 100));
      }
    }
    canvas.paint(
        grown(body.box(), 2), [&](Point p) { return body(p) + uneven * noise(p, radius * 0.7); },
        Tissue{&noise, hu, 10, 2});
  }
}

}  // namespace

void paint_lungs(Canvas& canvas, const Chest& chest, const Noise& noise, Random& random) {
  const double hu = random.uniform(-880, -810), per_mm = random.uniform(0.1, 0.6);
  canvas.paint(chest.cage, LungTissue{&noise, hu, per_mm, random_clouds(chest, random)});
}

void paint_lung_trees(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, const Noise& noise,
                      Random& random) {
  const Tissue blood{&noise, chest.blood_hu, 4, 5};
  for (const double side : {-1.0, 1.0}) {
    const Lung lung = random_lung(chest, mediastinum, side, random);
    if (chest.level > 0.15) paint_fissure(canvas, chest, mediastinum, side, random);
    Point3 atrium = lung.hilum;
    atrium.x -= side * 8;
    atrium.z -= 15;
    const double tip = random.uniform(0.33, 0.42);
    const std::vector<Branch> arteries = grow_tree(lung.hilum, lung.artery_targets, 0.35, tip);
    paint_bronchi(canvas, arteries, side, random.uniform(-150, 0));
    paint_vessels(canvas, grow_tree(atrium, lung.vein_targets, 0.3, tip), blood);
    paint_vessels(canvas, arteries, blood);
  }
  paint_nodules(canvas, chest, mediastinum, noise, random);
}

}  // namespace lucivox::phantom
