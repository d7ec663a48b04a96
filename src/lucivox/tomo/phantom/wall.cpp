#include <lucivox/tomo/phantom/paint.h>

namespace lucivox::phantom {
namespace {

const double kBack = radians(90), kFront = radians(-90);

// Muscle with the fat between its layers and bundles; `cage` distances say how deep the layer lies.
struct Muscle {
  const Chest* chest;
  const Noise* noise;
  double plane_mm;  // how far outside the cage the fat between its layers lies
  double marbling;  // 0 an athlete .. 1

  double operator()(Point p, double) const {
    const double outside = chest->cage(p) - plane_mm - 3 * (*noise)(p, 23);
    const double plane = 1 - smooth_step(0.4, 1.6, std::abs(outside) - (*noise)(p, 17));
    const double bundle = 1 - smooth_step(0.02, 0.16, std::abs((*noise)(p, 11)));
    const double fat = std::max(plane, bundle * marbling);
    const double muscle = chest->muscle_hu + 6 * (*noise)(p, 2.5) + 5 * (*noise)(p, 9);
    return muscle + fat * 0.85 * (chest->fat_hu - muscle);
  }
};

void paint_glands(Canvas& canvas, const Chest& chest, const Noise& noise, Random& random) {
  const double density = random.uniform(0.2, 1);
  for (const double side : {-1.0, 1.0}) {
    const double angle = kFront + side * radians(random.uniform(36, 46));
    const Point centre = (chest.body.at(angle) + chest.muscle.at(angle)) * 0.5;
    const Ellipse gland{centre, random.uniform(24, 34), random.uniform(6, 9), angle + radians(90)};
    const auto within = [&](Point p) { return std::max({gland(p), chest.body(p) + 5, 2 - chest.muscle(p)}); };
    canvas.paint(gland.box(), within, [&](Point p, double depth) {
      const double strands = smooth_step(-0.4, 0.5, noise(p, 7) + 0.5 * noise(p, 3) + density - 0.8);
      return chest.fat_hu + strands * smooth_step(0, 4, depth) * 130;
    });
  }
}

void paint_spine(Canvas& canvas, const Mediastinum& mediastinum, const Noise& noise, Random& random) {
  const Ellipse& body = mediastinum.vertebra;
  const Point s = body.centre;
  const double back = body.across, reach = random.uniform(28, 36), lean = random.uniform(-2, 2);
  const Point canal = s + Point{0, back + 8};
  std::vector<Tube> arch{{canal + Point{0, 13}, canal + Point{lean, random.uniform(28, 38)}, 3.2, 2.6}};
  const double transverse = random.uniform(3.5, 5);
  for (const double side : {-1.0, 1.0}) {
    arch.push_back({s + Point{side * 12, back - 3}, canal + Point{side * 12, 3}, 3.8, 3.4});  // pedicle
    arch.push_back({canal + Point{side * 12, 4}, canal + Point{0, 13}, 3.2, 3.2});            // lamina
    arch.push_back(
        {canal + Point{side * 13, 5}, canal + Point{side * reach, 14}, transverse, transverse * 0.8});
  }
  const auto bone = [&](Point p) {
    double distance = body(p);
    for (const Tube& tube : arch) distance = smooth_min(distance, tube(p), 3);
    return std::max(distance, 9.5 - length(p.x - canal.x, p.y - canal.y));
  };
  canvas.paint(disc(canal, 10), plain(random.uniform(-10, 20)));  // cerebrospinal fluid and some fat
  canvas.paint(Ellipse{canal, 5, 3.8}, plain(random.uniform(30, 42)));
  const Box box{s.x - reach - 8, s.y - back - 4, s.x + reach + 8, canal.y + 45};
  canvas.paint(box, bone,
               Bone{&noise, random.uniform(450, 750), random.uniform(110, 230), random.uniform(0.7, 1.3)});
}

// One side's ribs: each slice cuts several of them obliquely, and the muscle between them.
void paint_ribs(Canvas& canvas, const Chest& chest, const Noise& noise, double side, Random& random) {
  const Bone bone{&noise, random.uniform(650, 950), random.uniform(120, 260), random.uniform(0.8, 1.3)};
  const double end = radians(168);
  double from = radians(random.uniform(20, 30));
  while (from < end) {  // from the spine to the sternum
    const double half_length = random.uniform(8, 26);
    const double middle = kBack + side * from, radius = chest.cage.radius(middle);
    const double half_angle = half_length / radius;
    const Strip rib{&chest.cage,          middle + side * half_angle, half_length, random.uniform(3.4, 5.2),
                    random.uniform(6, 8), random.uniform(-0.06, 0.06)};
    if (from + 2 * half_angle > radians(138)) {
      canvas.paint(rib, Tissue{&noise, random.uniform(80, 130), 12, 4});  // cartilage
    } else {
      canvas.paint(rib, bone);
    }
    from += 2 * half_angle + random.uniform(11, 26) / radius;
  }
}

void paint_shoulder_blade(Canvas& canvas, const Chest& chest, const Noise& noise, double side,
                          Random& random) {
  const double angle = kBack - side * radians(random.uniform(46, 56));
  const double half_length = random.uniform(24, 38) * (1.1 - 0.6 * chest.level);
  const Strip blade{&chest.cage,
                    angle,
                    half_length,
                    random.uniform(2, 3),
                    random.uniform(19, 22),
                    -side * random.uniform(0.02, 0.14)};
  const double outer = angle - side * half_length / chest.cage.radius(angle);
  const Tube edge{chest.cage.at(outer, 20), chest.cage.at(outer, 26), random.uniform(3.5, 5),
                  random.uniform(3, 4)};
  const Bone bone{&noise, random.uniform(650, 900), random.uniform(100, 220), 0.9};
  canvas.paint(
      hull(blade.box(), edge.box()), [&](Point p) { return smooth_min(blade(p), edge(p), 4); }, bone);
}

}  // namespace

void paint_wall(Canvas& canvas, const Chest& chest, const Noise& noise, Random& random) {
  const Tissue fat{&noise, chest.fat_hu, 5, 8};
  const double skin_mm = random.uniform(1.2, 2);
  canvas.paint(chest.body, [&](Point p, double depth) {
    const double strand = 1 - smooth_step(0.01, 0.05, std::abs(noise(p, 16)));
    const double deep = fat(p, depth) + 35 * strand;
    return deep + (20 - deep) * (1 - smooth_step(skin_mm, skin_mm + 0.6, depth));
  });
  if (chest.breasts) paint_glands(canvas, chest, noise, random);
  canvas.paint(chest.muscle, Muscle{&chest, &noise, random.uniform(13, 16), random.uniform(0.2, 0.9)});
}

void paint_bones(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, const Noise& noise,
                 Random& random) {
  for (const double side : {-1.0, 1.0}) {
    paint_ribs(canvas, chest, noise, side, random);
    if (chest.level < 0.6) paint_shoulder_blade(canvas, chest, noise, side, random);
  }
  paint_spine(canvas, mediastinum, noise, random);
  const Strip sternum{&chest.cage, kFront, random.uniform(13, 22), random.uniform(4.5, 6.5),
                      random.uniform(8, 10)};
  canvas.paint(sternum,
               Bone{&noise, random.uniform(380, 600), random.uniform(60, 160), random.uniform(0.6, 1)});
}

void paint_table(Canvas& canvas, const Chest& chest, Random& random) {
  if (random.uniform() < 0.4) return;
  const double top = chest.body.at(kBack).y + random.uniform(2, 8), radius = random.uniform(400, 600);
  const double thickness = random.uniform(14, 22);
  const auto shell = [&](Point p) {  // a hollow arch of carbon fibre, filled with foam
    const double below = top - (p.y - (p.x * p.x) / (-2 * radius));
    return std::max({below, -below - thickness, std::abs(p.x) - 190});
  };
  canvas.paint(Box{-192, top - 50, 192, top + thickness + 2}, shell,
               [](Point, double depth) { return depth < 1.2 ? -250.0 : -930.0; });
}

}  // namespace lucivox::phantom
