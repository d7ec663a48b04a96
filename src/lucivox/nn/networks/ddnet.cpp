#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/ddnet.h>

namespace lucivox {
namespace {

// The parts of the figure. Every layer has its batch norm before the convolution and a leaky ReLU after it.
struct Parts {
  Graph& g;
  DdnetOptions options;

  NodeId layer(NodeId x, const std::string& norm, const std::string& conv, int64_t out, int64_t kernel) {
    return g.leaky_relu(g.convolution(g.batch_norm(x, norm, options.statistics), conv, out, kernel));
  }

  NodeId deconvolution_layer(NodeId x, int norm, int conv, int64_t out, int64_t kernel) {
    const NodeId y = g.batch_norm(x, fmt::format("batch{}", norm), options.statistics);
    return g.leaky_relu(g.transposed_convolution(y, fmt::format("convT{}", conv), out, kernel));
  }

  // Four times: a 1x1 to 4 growth, a 5x5 to growth, its output joined to all before it.
  NodeId dense_block(NodeId x, const std::string& name) {
    for (int i = 0; i < 4; ++i) {
      const NodeId wide = layer(x, fmt::format("{}.batch_norm1_{}", name, i),
                                fmt::format("{}.conv1_{}", name, i), 4 * options.growth, 1);
      const NodeId grown = layer(wide, fmt::format("{}.batch_norm2_{}", name, i),
                                 fmt::format("{}.conv2_{}", name, i), options.growth, 5);
      x = g.concat({x, grown});
    }
    return x;
  }
};

}  // namespace

Graph ddnet(const DdnetOptions& options) {
  const int64_t growth = options.growth;
  if (growth < 1 || growth > 256)
    throw Error::misuse(fmt::format("network.growth must be between 1 and 256, but is {}", growth),
                        "16 is the paper's");
  Graph g("ddnet", Initialisation::SmallNormal);
  Parts ddnet{g, options};
  NodeId x = ddnet.layer(g.input(1), "batch1", "conv1", growth, 7);

  std::vector<NodeId> skips;
  for (int level = 1; level <= 4; ++level) {
    skips.push_back(x);
    x = g.max_pool(x, {.kernel = 3, .stride = 2, .padding = 1});
    x = ddnet.dense_block(x, fmt::format("dnet{}", level));
    x = ddnet.layer(x, fmt::format("batch{}", level + 1), fmt::format("conv{}", level + 1), growth, 1);
  }
  for (int level = 0; level < 4; ++level) {
    x = g.concat({g.upsample(x, 2), skips[static_cast<size_t>(3 - level)]});
    x = ddnet.deconvolution_layer(x, 6 + 2 * level, 1 + 2 * level, 2 * growth, 5);
    x = ddnet.deconvolution_layer(x, 7 + 2 * level, 2 + 2 * level, level < 3 ? growth : 1, 1);
  }
  return g;
}

}  // namespace lucivox
