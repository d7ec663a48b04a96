#include <torch/torch.h>

#include <lucivox/infer/engine.h>

namespace lucivox {

at::Tensor Engine::run(const at::Tensor& unit_YX) {
  const torch::NoGradGuard no_grad;
  const int64_t multiple = network_.graph().size_multiple();
  const int64_t rows = unit_YX.size(0), columns = unit_YX.size(1);
  const auto missing = [&](int64_t side) { return (multiple - side % multiple) % multiple; };
  const at::Tensor image = unit_YX.unsqueeze(0).unsqueeze(0).to(network_.state().front().second.options());
  const at::Tensor padded = at::replication_pad2d(image, {0, missing(columns), 0, missing(rows)});
  const at::Tensor output = network_.forward(padded, Mode::Evaluation);
  return output.narrow(2, 0, rows)
      .narrow(3, 0, columns)
      .squeeze(0)
      .squeeze(0)
      .to(at::kCPU, at::kFloat)
      .contiguous();
}

}  // namespace lucivox
