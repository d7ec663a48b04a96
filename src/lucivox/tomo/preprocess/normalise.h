#pragma once

#include <ATen/core/Tensor.h>

namespace lucivox {

// From a detector's counts to line integrals. V views, Z detector rows, U detector columns; F flat fields
// (beam without object) and D dark fields (no beam), [F, Z, U] and [D, Z, U]. All tensors are float32.

// Transmission I / I0, without unit:
//   (data - mean dark) / (mean flat - mean dark), [V, Z, U].
// Pixels whose flat field is not above their dark field come out as NaN, for repair() to fill. Empty darks
// count as zero; without flats and darks the data are transmissions already and come back as they are.
// Throws Error (misuse) for shapes that do not fit and darks without flats; Error when a value is NaN or
// infinite, counts are negative, flats are all zero, or no pixel at all sees the beam.
at::Tensor normalise(const at::Tensor& data_VZU, const at::Tensor& flats_FZU, const at::Tensor& darks_DZU);

// Which pixels of the detector see no beam, bool [Z, U]: those whose flat field is not above their dark
// field, or less than 0.3 of the median of the 7 x 7 pixels around. Weak columns, rows and blocks are found
// up to 3 pixels wide, 1 at the detector's edge. Throws as normalise() does.
at::Tensor dead_pixels(const at::Tensor& flats_FZU, const at::Tensor& darks_DZU);

// `data` with the pixels of `mask` interpolated linearly along U between the nearest good ones, at the
// detector's ends copied from the nearest; a row without any good pixel is interpolated along Z likewise.
// What stands in masked pixels is ignored, NaN too. Throws Error (misuse) for shapes that do not fit, Error
// when the mask takes more than a quarter of the detector: then interpolation would invent the scan.
at::Tensor repair(const at::Tensor& data_VZU, const at::Tensor& mask_ZU);

// One count of a 16-bit camera: a smaller transmission has not been measured.
inline constexpr double kSmallestTransmission = 1.0 / 65536;

// Beer and Lambert's law: line integrals -log(max(transmission, floor)), without unit, any shape. NaN stays
// NaN. Throws Error (misuse) when the floor is not positive.
at::Tensor minus_log(const at::Tensor& transmission, double floor = kSmallestTransmission);

}  // namespace lucivox
