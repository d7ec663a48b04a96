#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/infer/engine.h>

namespace lucivox {

Engine::Engine(const Weights& weights, const Border& border) : network_(weights.share()), border_(border) {
  const Graph& graph = weights.graph();
  const int64_t read = graph.channels(0), made = graph.channels(graph.output());
  const auto refused = [&](const std::string& what) {
    return Error(graph.architecture() + what,
                 "enhancement takes networks that make one image of a slice, such as DDNet and TomoGAN");
  };
  if (graph.dimensions() != 2) throw refused(" reads volumes, no slices");
  if (read % 2 == 0) throw refused(fmt::format(" reads {} images, among which none is in the middle", read));
  if (made != 1) throw refused(fmt::format(" makes {} images of a slice", made));
}

at::Tensor Engine::run(const at::Tensor& unit_CYX) {
  const at::NoGradGuard no_grad;
  const int64_t multiple = network_.graph().size_multiple();
  const int64_t rows = unit_CYX.size(1), columns = unit_CYX.size(2);
  // a multiple, so that the image lies on the same coarse pixels as without a margin
  const int64_t margin = (border_.margin + multiple - 1) / multiple * multiple;
  const auto missing = [&](int64_t side) { return (multiple - side % multiple) % multiple; };
  const at::Tensor image = unit_CYX.unsqueeze(0).to(network_.weights().options());
  const at::Tensor padded =
      reflected(image, {margin, margin + missing(rows), margin, margin + missing(columns)});
  const at::Tensor output = network_.forward(padded, Mode::Evaluation);
  return output.narrow(2, margin, rows)
      .narrow(3, margin, columns)
      .squeeze(0)
      .squeeze(0)
      .to(at::kCPU, at::kFloat)
      .contiguous();
}

}  // namespace lucivox
