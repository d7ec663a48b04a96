#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/geometry.h>

namespace lucivox {

// What the ramp is multiplied by, f being the frequency over the detector's Nyquist frequency: from the
// sharpest to the smoothest.
enum class RampWindow {
  RamLak,      // 1
  SheppLogan,  // sin(pi f / 2) / (pi f / 2)
  Cosine,      // cos(pi f / 2)
  Hamming,     // 0.54 + 0.46 cos(pi f)
  Hann,        // 0.5 + 0.5 cos(pi f)
};

// By its name in the field: "ram-lak", "shepp-logan", "cosine", "hamming", "hann". Throws Error (misuse) with
// the nearest one as a hint.
RampWindow ramp_window(const std::string& name);

// Filtered back-projection: float32 [S, V, U], line integrals -> float32 [S, Y, X] in 1/mm, on the same
// device. The ramp is the band-limited one, sampled in space (A. C. Kak and M. Slaney, "Principles of
// Computerized Tomographic Imaging", 1988, eq. 3.61), which has the right mean, unlike |f| sampled in
// frequency; fans follow their sections 3.4.1 and 3.4.2. Each view counts for the angle between its
// neighbours: parallel beams need half a turn or more in any order; fans a whole turn, or a short scan of at
// least half a turn and the fan, whose rays measured twice are weighted as D. L. Parker does (Med. Phys.
// 9(2), 1982), the excess taken for part of the fan (M. D. Silver, Med. Phys. 27(4), 2000). Throws Error
// (misuse) when the sinogram does not have the geometry's shape or a fan's angles cover too little.
at::Tensor fbp(const at::Tensor& sino_SVU, const ScanGeometry& scan, RampWindow window = RampWindow::RamLak);

}  // namespace lucivox
