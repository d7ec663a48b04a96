#include <algorithm>

#include <ATen/ATen.h>

#include <lucivox/tomo/reconstruct.h>

namespace lucivox {

at::Tensor reconstruct(const at::Tensor& sino_SVU, const ScanGeometry& scan,
                       const ReconstructionMethod& method) {
  if (const auto* window = std::get_if<RampWindow>(&method)) return fbp(sino_SVU, scan, *window);
  return sirt(sino_SVU, scan, std::get<SirtOptions>(method)).image_SYX;
}

double reconstruction_bytes(const ScanGeometry& scan, const ReconstructionMethod& method, int64_t slices) {
  const double sino = 4.0 * static_cast<double>(scan.views() * scan.detectors),
               image = 4.0 * static_cast<double>(scan.rows * scan.columns);
  const auto stack = static_cast<double>(slices), group = 16.0;
  const double rays = static_cast<double>(scan.views() * scan.detectors) * 40;  // as traced and as bundled
  // What the projectors lay side by side for a group of slices, both marching directions with their borders.
  const double groups = group * (1.2 * sino + 2.5 * image) + rays;
  if (std::holds_alternative<SirtOptions>(method)) return stack * (4 * sino + 2.5 * image) + groups;
  // The filter's spectra and their product, of rows padded to up to four times their length.
  return stack * (sino + image) + std::min(stack, group) * 14 * sino + groups;
}

}  // namespace lucivox
