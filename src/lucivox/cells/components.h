#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/image/image.h>

namespace lucivox {

// Connected components of a volume of classes, found tile by tile: what a tile labels for itself is joined
// across the cuts, and the components come out as if the volume had been one, whatever the tiles.

// Which voxels of one class belong together: those that share a face, an edge too, or a corner too.
enum class Connectivity { Faces = 6, Edges = 18, Corners = 26 };
// Throws Error (misuse) unless 6, 18 or 26.
Connectivity connectivity_of(int64_t neighbours);

// Whole numbers, so that no order of adding makes a difference.
struct Component {
  int64_t first = 0;  // of its voxels, in the order Z, Y, X of the whole volume
  int64_t voxels = 0;
  int64_t of_class = 0;
  std::array<int64_t, 3> sum{0, 0, 0};                  // of its voxels' indices, z, y, x
  std::array<int64_t, 3> begin{0, 0, 0}, end{0, 0, 0};  // of its bounding box

  // In voxels; the middle of the first voxel of the volume is 0.
  std::array<double, 3> centroid() const;
};

struct Components {
  at::Tensor labels;             // int64 [Z, Y, X]; 0: background, else 1 + a number in `found`
  std::vector<Component> found;  // by their first voxels
};

// Of one tile, `region` of a volume of `shape`. `classes`: integers [z, y, x]; 0 is the background. Throws
// Error for a tile of another size, and for numbers that are no integers.
Components connected_components(const at::Tensor& classes, Connectivity connectivity, const Region& region,
                                const std::array<int64_t, 3>& shape);
// Of a whole volume.
Components connected_components(const at::Tensor& classes, Connectivity connectivity);

// What the components of all tiles are together. Ids are 1 + the order in which components were added.
class ComponentUnion {
 public:
  // What to add to a tile's labels, except 0, to make them ids.
  int64_t add(const std::vector<Component>& of_tile);

  // Two planes of ids [a, b] that lie on each other, one on each side of a cut, over the whole volume: a
  // voxel that touches another across the cut then does so whatever tiles they are in.
  void join(const at::Tensor& below, const at::Tensor& above, Connectivity connectivity);

  struct Result {
    std::vector<Component> found;   // by their first voxels
    std::vector<int64_t> label_of;  // of each id, 0 of 0
  };
  Result result() const;

 private:
  std::vector<Component> added_;
  std::vector<int64_t> parents_{0};  // of each id
};

}  // namespace lucivox
