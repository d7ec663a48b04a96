#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/field.h>

namespace lucivox {

// Slices at full and at low dose, with known truth, as a clinical fan-beam scanner makes them: one turn,
// detectors on an arc, a bow-tie filter between tube and patient, filtered back-projection. What is 0 follows
// from the size, so that a smaller one is the same scan with coarser pixels, detectors and views.
struct CtSimulation {
  int64_t slices = 100;
  int64_t size = 0;  // pixels along a side; 0: 512
  uint64_t seed = 1;
  double pixel_mm = 0;          // 0: the field of view is 400 mm
  int64_t views = 0;            // projection angles over a whole turn; 0: 984 for 512 pixels and more
  int64_t detectors = 0;        // over the same arc; 0: 888 for 512 pixels and more
  double full_photons = 2e5;    // a ray, before the bow-tie filter: 11 HU of noise amid a chest
  double dose_fraction = 0.04;  // low dose: this part of the full dose's photons
  // Above dose_fraction: every slice has a fraction of its own between the two, evenly on a logarithmic
  // scale.
  double highest_dose_fraction = 0;
  double bowtie_radius_mm = 160;  // of the water cylinder that the filter is made for; 0: no filter
  double electronic_sigma = 5;    // of the read-out, in photons; seen only behind shoulders and spine
};

// Slices that are simulated at once cost what one does (kernels/cpu/projector.h), in about 800 MB at 512.
inline constexpr int64_t kCtGroup = 16;

// Fills in what is 0. Throws Error (misuse) when anything is impossible: fewer than 16 pixels, no views,
// no photons, a dose fraction that is none, a field of view that does not fit into the scanner.
CtSimulation resolve(const CtSimulation& simulation);

// float32 [S, Y, X] in HU. Outside the scanner's field of 50 cm all is air.
struct CtPairs {
  at::Tensor truth;                    // the patient, averaged over each pixel
  at::Tensor full_dose;                // reconstructed by FBP from many photons
  at::Tensor low_dose;                 // and from few; the same rays, other photons
  std::vector<double> dose_fractions;  // of each low-dose slice
};

// Chests that nobody has: slices first .. first + count - 1 of a simulation, the same for the same options
// whatever the number of threads and whichever other slices are made with them. Throws as resolve() does, and
// when there are no such slices.
CtPairs simulate_ct(const CtSimulation& simulation, int64_t first, int64_t count);

// The same of a patient who is there: `hu_SYX` in HU, slices first, first + 1, ... of a real CT, lie in the
// middle of the field (in_field()). Their indices tell the noise of one slice from another's.
CtPairs simulate_ct(const CtSimulation& simulation, int64_t first, const at::Tensor& hu_SYX,
                    const VoxelSize& voxel);

}  // namespace lucivox
