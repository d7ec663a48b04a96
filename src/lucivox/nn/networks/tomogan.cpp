#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/tomogan.h>

namespace lucivox {
namespace {

NodeId layer(Graph& g, NodeId x, const std::string& name, int64_t out, int64_t kernel, int64_t stride = 1) {
  return g.relu(g.convolution(x, name, out, kernel, stride));
}

NodeId box(Graph& g, NodeId x, const std::string& name, int64_t out) {
  return layer(g, layer(g, x, name + ".0", out, 3), name + ".1", out, 3);
}

}  // namespace

Graph tomogan(const TomoganOptions& options) {
  const int64_t depth = options.depth;
  if (depth < 1 || depth > 63 || depth % 2 == 0)
    throw Error::misuse(fmt::format("tomogan: a depth of {} slices", depth), "give an odd one; 3 is usual");
  Graph g("tomogan");
  NodeId x = layer(g, g.input(depth), "stem", 8, 1);

  std::vector<NodeId> skips;
  for (int level = 1; level <= 3; ++level) {
    x = box(g, x, fmt::format("down{}", level), int64_t{16} << level);
    skips.push_back(x);
    x = g.max_pool(x, {.kernel = 2, .stride = 2, .padding = 0});
  }
  x = layer(g, x, "middle", 128, 3);
  for (int level = 3; level >= 1; --level) {
    x = g.concat({skips[static_cast<size_t>(level - 1)], g.upsample(x, 2, false)});
    x = box(g, x, fmt::format("up{}", level), level == 3 ? 64 : 32);
  }
  g.convolution(layer(g, x, "head", 16, 1), "out", 1, 1);
  return g;
}

Graph tomogan_discriminator(int64_t side) {
  if (side < 8 || side % 8 != 0)
    throw Error::misuse(fmt::format("a discriminator for images of {0}x{0} pixels", side),
                        "the side must be a multiple of 8");
  Graph g("tomogan_discriminator");
  NodeId x = g.input(1);
  for (int level = 1; level <= 3; ++level) {
    const int64_t wide = level == 1 ? 64 : 128;
    x = layer(g, x, fmt::format("conv{}.0", level), wide, 3);
    x = layer(g, x, fmt::format("conv{}.1", level), level == 3 ? 4 : wide, 3, 2);
  }
  g.dense(g.relu(g.dense(x, "dense1", side / 8, 64)), "dense2", 1, 1);
  return g;
}

}  // namespace lucivox
