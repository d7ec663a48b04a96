#pragma once

#include <vector>

#include <lucivox/tomo/phantom/shapes.h>

namespace lucivox::phantom {

// One piece of a vessel, from its parent's end to its own.
struct Branch {
  Point3 end;  // z: mm above the slice
  int parent;  // index, always smaller than its own; -1 at the root, which is only a point
  double radius = 0;
};

// A tree that starts at `root` and reaches every target. It grows as in H. Cuntz et al., "One rule to grow
// them all" (PLoS Comput. Biol. 6(8), 2010): always the piece with the smallest length + balance * (path back
// to the root); a small balance saves vessel, a large one gives straight ways. Radii follow Murray's law, the
// cube of the parent's being the sum of its children's cubes, with `tip_radius` at the targets.
std::vector<Branch> grow_tree(const Point3& root, const std::vector<Point3>& targets, double balance,
                              double tip_radius);

}  // namespace lucivox::phantom
