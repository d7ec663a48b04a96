#pragma once

#include <optional>
#include <vector>

#include <lucivox/base/random.h>
#include <lucivox/tomo/phantom/shapes.h>

namespace lucivox::phantom {

// The build of one person at the height of the slice: where things are, before anything is painted.
struct Chest {
  double level;                        // 0 above the aortic arch, 0.5 at the hila, 1 at the dome of the liver
  Outline body;                        // the skin
  Outline muscle;                      // below the fat under the skin
  Outline cage;                        // the inside of the ribs: both lungs and what lies between them
  Point spine;                         // the middle of the vertebral body
  double fat_hu, muscle_hu, blood_hu;  // blood is brighter with a contrast agent
  bool breasts;
};

Chest random_chest(Random& random);

// A tube between the lungs and what it is made of.
struct Organ {
  Tube shape;
  double hu;
  double wall_mm = 0;  // of soft tissue around it, where its content differs
};

struct Heart {
  Outline muscle;
  double myocardium_hu;
  std::vector<Ellipse> chambers;
};

// What lies between the lungs; they fill the rest of the cage.
struct Mediastinum {
  std::vector<Organ> organs;  // painted in this order
  std::optional<Heart> heart;
  Tube front;  // the fat behind the sternum
  Ellipse vertebra;
  double fat_mm;  // around everything

  double operator()(Point p) const;
  Box box() const;
};

Mediastinum random_mediastinum(const Chest& chest, Random& random);

// Distance to the edge of the lungs, negative inside.
inline double lung_distance(const Chest& chest, const Mediastinum& mediastinum, Point p) {
  return std::max(chest.cage(p), -mediastinum(p));
}

}  // namespace lucivox::phantom
