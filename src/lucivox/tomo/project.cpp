#include <algorithm>
#include <memory>
#include <utility>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <lucivox/tomo/project.h>
#include <lucivox/tomo/ray_kernels.h>

namespace lucivox {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Autograd hands its functions values; the geometry travels as a shared one.
using SharedProjector = std::shared_ptr<const Projector>;

struct Shared : torch::CustomClassHolder {
  SharedProjector projector;
};

at::Tensor applied(const Projector& projector, const at::Tensor& x, bool adjoint) {
  return adjoint ? projector.adjoint(x) : projector.forward(x);
}

class Projection : public torch::autograd::Function<Projection> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x, const SharedProjector& projector,
                            bool adjoint) {
    ctx->saved_data["adjoint"] = adjoint;
    auto shared = c10::make_intrusive<Shared>();
    shared->projector = projector;
    ctx->saved_data["projector"] = c10::IValue::make_capsule(shared);
    return applied(*projector, x, adjoint);
  }

  static tensor_list backward(AutogradContext* ctx, const tensor_list& gradients) {
    const auto shared = c10::static_intrusive_pointer_cast<Shared>(ctx->saved_data["projector"].toCapsule());
    const bool adjoint = ctx->saved_data["adjoint"].toBool();
    return {Projection::apply(gradients[0], shared->projector, !adjoint), {}, {}};
  }
};

}  // namespace

Projector::Projector(ScanGeometry geometry) : geometry_(std::move(geometry)), rays_(ray_scan(geometry_)) {}

at::Tensor Projector::forward(const at::Tensor& image_SYX) const {
  return project(rays_, as_image(image_SYX.detach(), geometry_));
}

at::Tensor Projector::adjoint(const at::Tensor& sino_SVU) const {
  return back_project(rays_, as_sinogram(sino_SVU.detach(), geometry_));
}

void Projector::replace_views(int64_t first, const std::vector<double>& angles_rad) {
  const RayScan traced = ray_scan(with_angles(geometry_, angles_rad));
  std::copy(angles_rad.begin(), angles_rad.end(), geometry_.angles_rad.begin() + first);
  std::copy(traced.rays.begin(), traced.rays.end(), rays_.rays.begin() + first * rays_.detectors);
  std::copy(traced.pixel_views.begin(), traced.pixel_views.end(), rays_.pixel_views.begin() + first);
}

at::Tensor forward_project(const at::Tensor& image_SYX, const ScanGeometry& scan) {
  return Projection::apply(image_SYX, std::make_shared<const Projector>(scan), false);
}

at::Tensor adjoint_project(const at::Tensor& sino_SVU, const ScanGeometry& scan) {
  return Projection::apply(sino_SVU, std::make_shared<const Projector>(scan), true);
}

}  // namespace lucivox
