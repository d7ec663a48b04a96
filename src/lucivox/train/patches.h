#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/image/image.h>

namespace lucivox {

// A part of a volume as a network learns from it: cut out, turned in planes whose voxels are square,
// mirrored, and shown brighter or darker.
struct Patch {
  int64_t volume = 0;
  Region region;
  std::array<int64_t, 3> turns{0, 0, 0};  // quarters, in the planes (y, x), (z, x) and (z, y), in this order
  std::array<bool, 3> mirrored{false, false, false};  // along z, y and x, after that
  double gain = 1, gamma = 1, shift = 0;              // value' = gain * value ^ gamma + shift, in unit range
};

struct PatchOptions {
  int64_t patch = 96;        // voxels along each axis, or as many as the volume has
  double background = 0.25;  // the share of patches that are drawn around known background
  bool augment = true;       // turn, mirror, and change brightness and contrast

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("patch", self.patch);
    visit("background", self.background);
    visit("augment", self.augment);
  }
};

// Throws Error (misuse) for values that make no sense.
void check(const PatchOptions& options);

// Which patches are learnt from. Each contains a voxel that is drawn from all known ones, of a class above 0
// or, in the stated share, of the background; where in the patch it lies is random, too. A pure function of
// the seed and the sample's number.
class PatchSampling {
 public:
  // `labels` as in annotation.h; `spacings_um` along z, y and x, of each volume. Throws Error when nothing is
  // known.
  PatchSampling(const std::vector<at::Tensor>& labels, std::vector<std::array<double, 3>> spacings_um,
                const PatchOptions& options, uint64_t seed);

  Patch sample(int64_t number) const;

 private:
  struct Known {
    std::vector<at::Tensor> voxels;  // their numbers in Z, Y, X order, of each volume
    int64_t count = 0;
  };
  // The n-th of all: its volume and number.
  static std::array<int64_t, 2> nth(const Known& known, int64_t n);

  std::vector<std::array<int64_t, 3>> shapes_;
  std::vector<std::array<double, 3>> spacings_um_;
  PatchOptions options_;
  uint64_t seed_;
  Known objects_, background_;
};

// The patch of an image [Z, Y, X] in unit range, and of labels, which are not made brighter.
at::Tensor cut_image(const at::Tensor& image, const Patch& patch);
at::Tensor cut_labels(const at::Tensor& labels, const Patch& patch);

}  // namespace lucivox
