#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lucivox {

// Chest slices at full and at low dose, with known truth. What is 0 follows from the size: the same field of
// view with coarser or finer pixels.
struct CtSimulation {
  int64_t slices = 100;
  int64_t size = 512;  // pixels along a side
  uint64_t seed = 1;
  double pixel_mm = 0;          // 0: the field of view is 400 mm
  int64_t views = 0;            // projection angles over half a turn; 0: 1.41 a pixel of the side
  int64_t detectors = 0;        // as wide as pixels; 0: an eighth more than the side
  double full_photons = 5e5;    // a ray, in air
  double low_photons = 2e4;     // 4 % of it
  double electronic_sigma = 5;  // photons; seen only behind shoulders and spine
  double minimum_count = 1;
};

// Fills in what is 0. Throws Error (misuse) when anything is impossible: fewer than 16 pixels, no views,
// no photons, more photons at low dose than at full dose.
CtSimulation resolve(const CtSimulation& simulation);

// float32 [Y, X] in HU.
struct CtPair {
  at::Tensor truth;      // the phantom, averaged over each pixel
  at::Tensor full_dose;  // reconstructed by FBP from many photons
  at::Tensor low_dose;   // and from few; the same rays, other photons
};

// Slice `index` (0 .. slices - 1): the same for the same options whatever the number of threads and
// whichever other slices are made. Throws as resolve() does, and when there is no such slice.
CtPair simulate_ct(const CtSimulation& simulation, int64_t index);

// The same of a patient who is there: `hu_YX` [size, size] in HU, a slice of a real scan, is the truth
// (values below air are taken for air). `index` tells the noise of one slice from another's.
CtPair simulate_ct(const CtSimulation& simulation, int64_t index, const at::Tensor& hu_YX);

}  // namespace lucivox
