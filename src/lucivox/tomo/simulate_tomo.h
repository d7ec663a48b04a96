#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/reconstruct.h>
#include <lucivox/tomo/sample.h>

namespace lucivox {

// Slices from a good and from a poor scan, with known truth, as a synchrotron beamline makes them: a parallel
// beam over half a turn, photons counted by a camera and divided by its flat field, reconstructed both in the
// same way. The poor scan has fewer projections, shorter exposures, or both. The field of view is
// kSampleFieldMm; what is 0 follows from the size.
struct TomoSimulation {
  SampleKind sample = SampleKind::Glass;
  int64_t slices = 64;
  int64_t size = 512;
  uint64_t seed = 1;
  int64_t views = 0;      // of the good scan; 0: 1.5 for each pixel along a side, at most 1500
  int64_t few_views = 0;  // of the poor scan; 0: an eighth of the good one's
  double photons = 2e4;   // a pixel and view in air, of the good scan: a full well of a usual camera
  double exposure_fraction = 0.25;  // of the poor scan, as a part of the good one's
  double electronic_sigma = 2;      // of the read-out, in photons
  ReconstructionMethod method = RampWindow::SheppLogan;

  // Of a pixel and of a slice.
  double pixel_mm() const { return kSampleFieldMm / static_cast<double>(size); }
};

// Slices that are simulated at once cost little more than one (kernels/cpu/projector.h), in about 600 MB at
// 512.
inline constexpr int64_t kTomoGroup = 16;

// Fills in what is 0. Throws Error (misuse) when anything is impossible: fewer than 16 pixels, no views, more
// of them in the poor scan, no photons, an exposure fraction that is none.
TomoSimulation resolve(const TomoSimulation& simulation);

// float32 [S, Y, X] in 1/mm; 0 outside the circle that every view sees.
struct TomoPairs {
  at::Tensor truth;  // the sample, averaged over each pixel
  at::Tensor clean;  // from many projections and long exposures
  at::Tensor noisy;  // from the poor scan
};

// Slices first .. first + count - 1 of a simulation, adjacent ones of one sample; the same for the same
// options whatever the number of threads and whichever other slices are made with them. Throws as resolve()
// does, and when there are no such slices.
TomoPairs simulate_tomo(const TomoSimulation& simulation, int64_t first, int64_t count);

}  // namespace lucivox
