#pragma once

#include <string>

#include <c10/core/Device.h>

#include <lucivox/base/reporter.h>
#include <lucivox/nn/graph.h>

namespace lucivox {

// How CPUs compute a network in float32: "layers, by lucivox's kernels", or "node by node, by libtorch" with
// the reason, which names the node.
std::string executor_on_cpu(const Graph& graph);

// One note where a CPU computes a network node by node, which takes several times as long.
void note_slow_executor(const Graph& graph, c10::Device device, Reporter& reporter);

}  // namespace lucivox
