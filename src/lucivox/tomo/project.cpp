#include <memory>
#include <utility>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include <lucivox/kernels/cpu/projector.h>
#include <lucivox/tomo/project.h>

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
  const at::Tensor image = as_image(image_SYX.detach(), geometry_);
  at::Tensor sino = at::empty({image.size(0), rays_.views, rays_.detectors}, at::kFloat);
  cpu::project(rays_, image.size(0), image.const_data_ptr<float>(), sino.mutable_data_ptr<float>());
  return sino;
}

at::Tensor Projector::adjoint(const at::Tensor& sino_SVU) const {
  const at::Tensor sino = as_sinogram(sino_SVU.detach(), geometry_);
  at::Tensor image = at::empty({sino.size(0), rays_.rows, rays_.columns}, at::kFloat);
  cpu::back_project(rays_, sino.size(0), sino.const_data_ptr<float>(), image.mutable_data_ptr<float>());
  return image;
}

at::Tensor forward_project(const at::Tensor& image_SYX, const ScanGeometry& scan) {
  return Projection::apply(image_SYX, std::make_shared<const Projector>(scan), false);
}

at::Tensor adjoint_project(const at::Tensor& sino_SVU, const ScanGeometry& scan) {
  return Projection::apply(sino_SVU, std::make_shared<const Projector>(scan), true);
}

}  // namespace lucivox
