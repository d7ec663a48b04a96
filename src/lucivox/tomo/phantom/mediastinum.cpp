#include <lucivox/tomo/phantom/paint.h>

namespace lucivox::phantom {
namespace {

void paint_heart(Canvas& canvas, const Chest& chest, const Heart& heart, const Noise& noise, Random& random) {
  const auto sac = [&](Point p) { return heart.muscle(p) - 3; };
  const Box around_it = grown(heart.muscle.box(), 3);
  canvas.paint(around_it, sac, plain(10));  // the pericardium, a line between two layers of fat
  canvas.paint(
      around_it, [&](Point p) { return sac(p) + 1.2; }, plain(chest.fat_hu));
  canvas.paint(heart.muscle, Tissue{&noise, heart.myocardium_hu, 5, 6});
  for (const Ellipse& chamber : heart.chambers) {
    const double mixing = chest.blood_hu > 100 ? random.uniform(0.75, 1) : 1;
    const auto within = [&](Point p) {
      return std::max(chamber(p) + 0.8 * noise(p, 6), heart.muscle(p) + 3);
    };
    canvas.paint(grown(chamber.box(), 2), within, Tissue{&noise, chest.blood_hu * mixing, 4, 6});
  }
  // fat in the grooves between the chambers, with the coronary arteries in it
  for (const double degrees :
       {random.uniform(-125, -105), random.uniform(30, 50), random.uniform(-70, -50)}) {
    const Point groove = heart.muscle.at(radians(degrees), -2);
    canvas.paint(disc(groove, random.uniform(4, 6)), plain(chest.fat_hu));
    const bool calcified = random.uniform() < 0.15;
    canvas.paint(disc(groove, random.uniform(1.3, 2)), plain(calcified ? 500 : chest.blood_hu));
  }
}

// Plaques of lime in the wall of an old aorta.
void paint_plaques(Canvas& canvas, const Tube& vessel, Random& random) {
  for (int64_t i = random.integer(4); i > 0; --i) {
    const double angle = random.uniform(0, radians(360)), span = random.uniform(0.1, 0.5);
    const auto at = [&](double a) {
      return vessel.to + Point{std::cos(a), std::sin(a)} * (vessel.to_radius - 0.8);
    };
    const double radius = random.uniform(0.6, 1.4);
    canvas.paint(Tube{at(angle), at(angle + span), radius, radius * 0.7}, plain(random.uniform(400, 1000)));
  }
}

void paint_liver(Canvas& canvas, const Chest& chest, const Noise& noise, Random& random) {
  const double size = 25 + 55 * smooth_step(0.8, 1.05, chest.level), hu = chest.blood_hu > 100 ? 105 : 58;
  const Point middle = chest.spine + Point{-random.uniform(62, 78), -random.uniform(30, 45)};
  const double angle = random.uniform(-0.4, 0.4), shape = random.uniform(0.7, 0.9);
  const Outline dome(middle, [&](double a) { return superellipse(size, size * shape, 2.3, a - angle); });
  const auto within = [&](Point p) { return std::max(dome(p), chest.cage(p)); };
  canvas.paint(dome.box(), within, Tissue{&noise, hu, 5, 6});
}

}  // namespace

void paint_mediastinum(Canvas& canvas, const Chest& chest, const Mediastinum& mediastinum, const Noise& noise,
                       Random& random) {
  if (chest.level > 0.85) paint_liver(canvas, chest, noise, random);
  const auto within = [&](Point p) { return std::max(mediastinum(p), chest.cage(p) - 1); };
  canvas.paint(mediastinum.box(), within, Tissue{&noise, chest.fat_hu + 8, 9, 6});
  if (mediastinum.heart) paint_heart(canvas, chest, *mediastinum.heart, noise, random);
  const bool plaques = random.uniform() < 0.4;
  for (const Organ& organ : mediastinum.organs) {
    Tube outer = organ.shape;
    outer.from_radius += organ.wall_mm;
    outer.to_radius += organ.wall_mm;
    if (organ.wall_mm > 0) canvas.paint(outer, plain(chest.muscle_hu - 20));
    canvas.paint(organ.shape, Tissue{&noise, organ.hu, organ.wall_mm > 0 ? 0.0 : 4.0, 5});
    const bool great = organ.shape.to_radius > 9.5 && organ.hu == chest.blood_hu;
    if (plaques && great) paint_plaques(canvas, organ.shape, random);
  }
}

}  // namespace lucivox::phantom
