#pragma once

#include <array>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/cells/matching.h>
#include <lucivox/image/image.h>

namespace lucivox {

// What people said of a volume's voxels, as labels: uint8 [Z, Y, X], a class, 0 for the background, or
// kUnknown, which nothing is learnt from. Much may be unknown: a few cells that are marked are enough.
constexpr int64_t kUnknown = 255;

// A place that marks a cell stands for a ball of class 1 around it. How large the cell really is is not
// known, so that a shell around the ball is neither cell nor background.
struct Balls {
  double radius_um = 4, shell_um = 2;
};

// From the middles of cells in micrometres, as voxel (0, 0, 0) is at the origin, where voxels are
// `spacing_um` apart along z, y and x. Within a region of `complete` all cells are marked: what is far from
// them is background. Where balls meet, a seam of unknown voxels keeps them apart. Throws Error (misuse) for
// lengths that make no sense, and for a place or a region outside the volume.
at::Tensor labels_of_points(const std::array<int64_t, 3>& shape, const std::array<double, 3>& spacing_um,
                            const std::vector<PointUm>& places, const std::vector<Region>& complete,
                            const Balls& balls);

// From ids of cells, integers [Z, Y, X] with 0 for the background: class 1, with a seam of unknown voxels,
// one thick, between cells that touch by faces, edges or corners.
at::Tensor labels_of_instances(const at::Tensor& ids);

// What each class's voxels weigh in the loss, so that all classes weigh the same together, the mean over all
// known voxels being 1. Throws Error when a class of 0 .. classes - 1 has no voxel, or one is of none of
// them.
std::vector<double> class_weights(const std::vector<at::Tensor>& labels, int64_t classes);

}  // namespace lucivox
