#include <fmt/format.h>

#include <lucivox/exec/layers.h>
#include <lucivox/exec/mixed_scale.h>
#include <lucivox/program/executor.h>

namespace lucivox {

std::string executor_on_cpu(const Graph& graph) {
  const AsLayers as = as_layers(graph);
  if (as.layers) return "layers, by lucivox's kernels";
  if (as_mixed_scale(graph)) return "all layers of one dilation at once, by lucivox's kernels";
  return fmt::format("node by node, by libtorch: {}", as.obstacle);
}

void note_slow_executor(const Graph& graph, c10::Device device, Reporter& reporter) {
  if (!device.is_cpu() || as_layers(graph).layers || as_mixed_scale(graph)) return;
  reporter.note(
      fmt::format("this network is computed {}, which is slower than in layers", executor_on_cpu(graph)));
}

}  // namespace lucivox
