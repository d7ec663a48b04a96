#pragma once

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/geometry.h>

namespace lucivox {

// The linear operator A of a scan (Joseph's method) and its exact adjoint A', <A x, y> = <x, A' y>. Both are
// differentiable, each being the other's derivative, and computed where the tensor is, on the CPU or on a
// GPU. Both throw Error (misuse) when a tensor does not have the geometry's shape or the geometry is
// impossible.

// A: float32 [S, Y, X] in 1/mm -> float32 [S, V, U], line integrals without unit.
at::Tensor forward_project(const at::Tensor& image_SYX, const ScanGeometry& scan);

// A': float32 [S, V, U] -> float32 [S, Y, X].
at::Tensor adjoint_project(const at::Tensor& sino_SVU, const ScanGeometry& scan);

// The pair for one geometry, whose rays are traced once: what iterations use. Not differentiable.
class Projector {
 public:
  explicit Projector(ScanGeometry geometry);

  const ScanGeometry& geometry() const { return geometry_; }
  at::Tensor forward(const at::Tensor& image_SYX) const;
  at::Tensor adjoint(const at::Tensor& sino_SVU) const;

  // Views [first, first + angles) are from now on those of other angles; only their rays are traced. Throws
  // Error (misuse) for an angle that is not finite. Views that do not exist are the caller's mistake.
  void replace_views(int64_t first, const std::vector<double>& angles_rad);

 private:
  ScanGeometry geometry_;
  RayScan rays_;
};

}  // namespace lucivox
