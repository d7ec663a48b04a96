#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/project.h>

namespace lucivox {

struct SirtOptions {
  int64_t iterations = 100;
  double relaxation = 1;                             // in (0, 2)
  std::optional<double> minimum = {}, maximum = {};  // 1/mm; every iteration ends within them
  at::Tensor mask_YX = {};    // where the image may differ from 0; undefined: everywhere
  at::Tensor start_SYX = {};  // undefined: 0
  // Ends early when an iteration lowers the residual by less than this share of it; 0: never.
  double tolerance = 0;
  // Called after each iteration, with its number from 1 and the residual before it; false ends.
  std::function<bool(int64_t iteration, double residual)> progress = {};
};

struct SirtResult {
  at::Tensor image_SYX;           // float32, 1/mm
  std::vector<double> residuals;  // |b - A x| / |b| before each iteration
};

// Simultaneous iterative reconstruction, x += relaxation C A' R (b - A x), with R and C the reciprocals of
// the sums of A's rows and columns, 0 where those are 0 (P. Gilbert, J. Theor. Biol. 36, 1972; A. van der
// Sluis and H. A. van der Vorst, Linear Algebra Appl. 130, 1990). sino_SVU: float32 [S, V, U]. Throws Error
// (misuse) when shapes do not fit the geometry, an option is impossible, or the sinogram is not finite.
SirtResult sirt(const at::Tensor& sino_SVU, const ScanGeometry& scan, const SirtOptions& options);

// What sirt() iterates, for who decides for himself when to end: of the options `iterations`, `tolerance` and
// `progress` mean nothing here. Throws as sirt() does.
class Sirt {
 public:
  Sirt(const at::Tensor& sino_SVU, const ScanGeometry& scan, SirtOptions options);

  // One iteration; gives |b - A x| / |b| before it.
  double iterate();
  // float32 [S, Y, X], 1/mm; changed by every iteration.
  const at::Tensor& image() const { return image_; }

  // A window that moves over a scan under way: `sino_SVU` with the views of other angles takes the place of
  // views [first, first + V), and the image goes on from where it is. Only those views' rays are traced, and
  // only their part of the sums over columns is exchanged, view by view and in double, so that no error
  // grows however often views are replaced. Throws Error (misuse) when there are no such views, shapes do not
  // fit, or a value is not finite.
  void replace_views(int64_t first, const std::vector<double>& angles_rad, const at::Tensor& sino_SVU);

 private:
  at::Tensor column_sums_of(double angle_rad) const;
  void take_sums();

  Projector projector_;
  SirtOptions options_;
  at::Tensor sino_, inside_, image_;
  at::Tensor row_sums_, column_sums_;  // of A: float32 [1, V, U], float64 [1, Y, X]
  at::Tensor by_ray_, by_pixel_;       // their reciprocals, the latter with mask and relaxation
  bool owns_sino_ = false;             // else it may be the caller's memory
  double norm_ = 0;
};

}  // namespace lucivox
