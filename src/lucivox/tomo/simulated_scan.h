#pragma once

#include <cstdint>
#include <functional>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/dose.h>
#include <lucivox/tomo/geometry.h>

// What the simulations of scans have in common, whatever the beam. An object and the rays through it are
// twice as fine as the picture: what is reconstructed is not what was projected, and a detector averages over
// its width, as it does in a scanner.
namespace lucivox {

inline constexpr int64_t kFiner = 2;

// The line integrals [S, V, U] that the detectors of a scan see of an object on the fine grid, float32
// [S, kFiner Y, kFiner X] in 1/mm. A detector adds up the photons of its fine rays: the logarithm comes after
// the mean.
at::Tensor seen_by_detectors(const at::Tensor& fine_SYX, const ScanGeometry& scan);

// Each pixel's mean over the fine grid: [S, kFiner Y, kFiner X] -> [S, Y, X].
at::Tensor mean_over_pixels(const at::Tensor& fine_SYX);

// What is measured of each sinogram [V, U] of a stack [S, V, U] (dose.h), by the dose of slice s and with
// photons of its own by the seed of slice s.
at::Tensor measure_slices(const at::Tensor& integrals_SVU, const std::function<Dose(int64_t s)>& dose_of,
                          const std::function<uint64_t(int64_t s)>& seed_of);

// The checks of their options: each throws Error (misuse) that names `what`.
void require_at_least(int64_t value, int64_t least, const char* what);
void require_within(double value, double low, double high, const char* what, const char* hint);
// `hint` tells what the share is of.
void require_share(double value, const char* what, const char* hint);
// That slices first .. first + count - 1 are among all of a simulation.
void require_slices(int64_t first, int64_t count, int64_t all);

}  // namespace lucivox
