#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace lucivox {

// Removes zingers, bright specks where scattered photons or cosmic rays hit the sensor itself: a pixel that
// exceeds the median of the size x size pixels around it, in its own view, by more than `threshold` becomes
// that median. Every other pixel keeps its bits. At the detector's edges the nearest pixels count again.
//   transmission_VZU   float32 [V, Z, U]: views, detector rows, detector columns
//   threshold          in units of transmission: 0.1 is a tenth of the open beam
//   size               odd; specks of up to (size^2 - 1) / 2 pixels in a window are removed
// Slabs need a halo of size / 2 rows. Throws Error (misuse) for another shape, a threshold that is not
// positive and a window without a middle; Error when a value is NaN or infinite.
at::Tensor remove_zingers(const at::Tensor& transmission_VZU, double threshold, int64_t size = 3);

}  // namespace lucivox
