#include <array>

#include <lucivox/tomo/phantom/chest.h>

namespace lucivox::phantom {
namespace {

const double kBack = radians(90), kFront = radians(-90);

// Slow waves that make an outline a person's: none is an ellipse.
struct Waves {
  std::array<double, 4> height, phase;

  Waves(Random& random, double largest) {
    for (size_t k = 0; k < height.size(); ++k) {
      height[k] = random.uniform(-largest, largest) / static_cast<double>(k + 1);
      phase[k] = random.uniform(0, radians(360));
    }
  }
  double operator()(double angle) const {
    double sum = 1;
    for (size_t k = 0; k < height.size(); ++k) {
      sum += height[k] * std::cos(static_cast<double>(k + 2) * angle + phase[k]);
    }
    return sum;
  }
};

// 1 at both sides, 0 in front and behind.
double sideways(double angle) {
  return std::cos(angle) * std::cos(angle);
}

// The great vessels, the windpipe and the gullet at the height of the aortic arch and above.
void add_upper(std::vector<Organ>& organs, const Chest& chest, Random& random) {
  const Point s = chest.spine;
  const double blood = chest.blood_hu;
  const auto near = [&](double x, double y) {
    return s + Point{x + random.uniform(-3, 3), y + random.uniform(-3, 3)};
  };
  organs.push_back({disc(near(-26, -50), random.uniform(7, 10)), blood});  // superior vena cava
  if (chest.level > 0.13) {  // the arch crosses from the front right to the back left
    const double radius = random.uniform(10.5, 14);
    const Point middle = near(14, -48), left = near(27, -12);
    organs.push_back({{near(-12, -62), middle, radius, radius}, blood});
    organs.push_back({{middle, left, radius, radius * 0.95}, blood});
  } else {  // the three arteries that leave it, and the veins before them
    organs.push_back({disc(near(-10, -50), random.uniform(5, 7)), blood});
    organs.push_back({disc(near(12, -44), random.uniform(3.5, 5)), blood});
    organs.push_back({disc(near(24, -26), random.uniform(4.5, 6)), blood});
    organs.push_back({{near(-24, -58), near(20, -66), 6, 5}, blood});
  }
  const double radius = random.uniform(7, 9.5);
  organs.push_back({disc(near(1, -32), radius), -1000, 1.5});
}

// At the hila: the two main bronchi, the pulmonary trunk and its arteries, both aortas.
void add_middle(std::vector<Organ>& organs, const Chest& chest, Random& random) {
  const Point s = chest.spine;
  const double blood = chest.blood_hu;
  const auto near = [&](double x, double y) {
    return s + Point{x + random.uniform(-3, 3), y + random.uniform(-3, 3)};
  };
  organs.push_back({disc(near(-30, -56), random.uniform(7, 10)), blood});   // superior vena cava
  organs.push_back({disc(near(23, -5), random.uniform(10, 13.5)), blood});  // descending aorta
  const double trunk = random.uniform(11, 14.5);
  const Point fork = near(18, -60);
  organs.push_back({{fork, near(22, -76), trunk, trunk}, blood});  // pulmonary trunk
  if (random.uniform() < 0.6) {
    organs.push_back({{fork, near(-34, -40), trunk * 0.85, trunk * 0.7}, blood});  // right pulmonary artery
  }
  organs.push_back({{fork, near(42, -34), trunk * 0.8, trunk * 0.65}, blood});  // left pulmonary artery
  organs.push_back({disc(near(-11, -68), random.uniform(14, 18)), blood});      // ascending aorta
  const double bronchus = random.uniform(5, 7);
  const Point carina = near(1, -30);
  organs.push_back({{carina, near(-36, -28), bronchus, bronchus * 0.8}, -1000, 1.4});
  organs.push_back({{carina, near(32, -22), bronchus * 0.9, bronchus * 0.75}, -1000, 1.4});
  for (int64_t i = random.integer(4); i > 0; --i) {  // lymph nodes
    organs.push_back({disc(near(random.uniform(-24, 24), random.uniform(-52, -20)), random.uniform(2, 5)),
                      chest.muscle_hu - 5});
  }
}

Heart random_heart(const Chest& chest, Random& random) {
  const double size = random.uniform(0.88, 1.12), tilt = -radians(random.uniform(28, 42));
  const Point along{std::cos(tilt), std::sin(tilt)}, across{-along.y, along.x};
  const Point middle = chest.spine + Point{random.uniform(10, 20), -random.uniform(58, 64) * size};
  const Waves waves(random, 0.025);
  const Outline muscle(middle, [&](double angle) {
    return superellipse(62 * size, 48 * size, 2.2, angle - tilt) * waves(angle);
  });
  const auto chamber = [&](double u, double v, double half_u, double half_v) {
    const double grow = size * random.uniform(0.9, 1.08);
    return Ellipse{middle + along * (u * size) + across * (v * size), half_u * grow, half_v * grow,
                   tilt + random.uniform(-0.15, 0.15)};
  };
  const bool contrast = chest.blood_hu > 100;
  return {muscle,
          contrast ? random.uniform(90, 120) : chest.blood_hu + random.uniform(6, 14),
          {chamber(21, 11, 27, 16),      // left ventricle
           chamber(12, -25, 32, 14),     // right ventricle
           chamber(-26, 26, 23, 15),     // left atrium
           chamber(-38, -10, 17, 22)}};  // right atrium
}

void add_lower(Mediastinum& mediastinum, const Chest& chest, Random& random) {
  const Point s = chest.spine;
  const auto near = [&](double x, double y) {
    return s + Point{x + random.uniform(-3, 3), y + random.uniform(-3, 3)};
  };
  mediastinum.heart = random_heart(chest, random);
  mediastinum.organs.push_back({disc(near(21, -4), random.uniform(10, 13)), chest.blood_hu});  // aorta
  if (chest.level > 0.8) {
    mediastinum.organs.push_back(
        {disc(near(-32, -36), random.uniform(10, 13)), chest.blood_hu});  // vena cava
  }
}

}  // namespace

Chest random_chest(Random& random) {
  const double level = random.uniform();
  const double a = random.uniform(150, 182), b = random.uniform(98, 126);
  const double fat = random.uniform(5, 20), square = random.uniform(2.15, 2.5);
  const bool breasts = random.uniform() < 0.4;
  const double breast = breasts ? random.uniform(8, 30) : random.uniform(0, 4);
  const double breast_angle = radians(random.uniform(36, 48));
  const Waves waves(random, 0.012);
  const auto skin = [&](double angle) {
    return superellipse(a, b, square, angle) * waves(angle) - 5 * bump(angle, kBack, radians(7)) -
           3 * bump(angle, kFront, radians(9));
  };
  const auto breasts_at = [&](double angle) {
    return breast * (bump(angle, kFront - breast_angle, radians(15)) +
                     bump(angle, kFront + breast_angle, radians(15)));
  };
  const Waves fat_waves(random, 0.15);
  const auto under_fat = [&](double angle) {
    return skin(angle) - fat * fat_waves(angle) * (0.7 + 0.5 * sideways(angle));
  };
  // towards the shoulders the wall gets thick and the lungs narrow
  const double apex = 1 - smooth_step(-0.1, 0.4, level);
  const double wall_side = random.uniform(17, 22) + 34 * apex, wall_front = random.uniform(17, 22) + 8 * apex;
  const double gutter = radians(random.uniform(15, 18));
  const Point spine{random.uniform(-3, 3), b * random.uniform(0.24, 0.30)};
  const Waves cage_waves(random, 0.012);
  const double cage_a = a - fat - wall_side, cage_b = b - fat * 0.7 - wall_front,
               cage_square = random.uniform(2.1, 2.4);
  const double dip = cage_b - spine.y - 8;
  const auto cage = [&](double angle) {
    return superellipse(cage_a, cage_b, cage_square, angle) * cage_waves(angle) -
           dip * bump(angle, kBack, gutter);
  };
  const double fat_hu = random.uniform(-115, -90), muscle_hu = random.uniform(42, 62);
  const double blood_hu = random.uniform() < 0.5 ? random.uniform(35, 48) : random.uniform(140, 300);
  return {level,
          Outline({0, 0}, [&](double angle) { return skin(angle) + breasts_at(angle); }),
          Outline({0, 0}, under_fat),
          Outline({spine.x / 2, -2}, cage),
          spine,
          fat_hu,
          muscle_hu,
          blood_hu,
          breasts};
}

Mediastinum random_mediastinum(const Chest& chest, Random& random) {
  const Point s = chest.spine;
  Mediastinum mediastinum;
  mediastinum.vertebra = {s, random.uniform(16.5, 19.5), random.uniform(12.5, 15)};
  mediastinum.fat_mm = random.uniform(2, 5);
  const Point behind_sternum = chest.cage.at(kFront, -2);
  mediastinum.front = {behind_sternum, s + Point{random.uniform(-3, 6), -66}, random.uniform(2, 9),
                       random.uniform(8, 16)};
  if (chest.level < 0.33) {
    add_upper(mediastinum.organs, chest, random);
  } else if (chest.level < 0.58) {
    add_middle(mediastinum.organs, chest, random);
  } else {
    add_lower(mediastinum, chest, random);
  }
  const Point gullet = s + Point{random.uniform(2, 9), -random.uniform(21, 24)};
  mediastinum.organs.push_back({disc(gullet, random.uniform(5, 7.5)), chest.muscle_hu - 10});
  if (random.uniform() < 0.3) {  // a little swallowed air
    mediastinum.organs.push_back({disc(gullet, random.uniform(1, 3)), -900});
  }
  mediastinum.organs.push_back(
      {disc(s + Point{-9, -17}, random.uniform(2.5, 4.5)), chest.blood_hu});  // azygos vein
  return mediastinum;
}

double Mediastinum::operator()(Point p) const {
  constexpr double kBlend = 14;  // fat fills the creases between neighbours
  double distance = smooth_min(front(p), vertebra(p), kBlend);
  for (const Organ& organ : organs) distance = smooth_min(distance, organ.shape(p) - organ.wall_mm, kBlend);
  if (heart) distance = smooth_min(distance, heart->muscle(p) - 1, kBlend);
  return distance - fat_mm;
}

Box Mediastinum::box() const {
  Box box = hull(front.box(), vertebra.box());
  for (const Organ& organ : organs) box = hull(box, organ.shape.box());
  if (heart) box = hull(box, heart->muscle.box());
  return grown(box, fat_mm + 8);
}

}  // namespace lucivox::phantom
