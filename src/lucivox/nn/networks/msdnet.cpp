#include <algorithm>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/msdnet.h>

namespace lucivox {
namespace {

constexpr int64_t kMostMaps = 4096, kMostClasses = 1024, kMostDilation = 255;

void require(bool sound, const std::string& what, const std::string& hint) {
  if (!sound) throw Error::misuse("msdnet: " + what, hint);
}

void check(const MsdnetOptions& o) {
  require(o.dimensions == 2 || o.dimensions == 3, fmt::format("images of {} dimensions", o.dimensions),
          "give 2 or 3");
  require(o.channels >= 1 && o.channels <= kMostMaps, fmt::format("{} channels", o.channels),
          "most images have 1");
  require(o.classes == 0 || (o.classes >= 2 && o.classes <= kMostClasses),
          fmt::format("{} classes", o.classes),
          "give 2 or more, the background among them, or 0 for a value instead of classes");
  require(o.width >= 1 && o.depth >= 1 && o.width <= kMostMaps && o.depth <= kMostMaps &&
              o.width * o.depth <= kMostMaps,
          fmt::format("a width of {} and a depth of {}", o.width, o.depth),
          "a width of 1 and a depth of 50 to 100 are usual");
  require(!o.dilations.empty() && std::all_of(o.dilations.begin(), o.dilations.end(),
                                              [](int64_t s) { return s >= 1 && s <= kMostDilation; }),
          "dilations", fmt::format("give one or more of 1 to {}", kMostDilation));
}

}  // namespace

std::string to_string(Padding padding) {
  return kPaddingNames[static_cast<size_t>(padding)];
}

Padding msdnet_border(const std::string& name) {
  for (const Padding padding : {Padding::Zeros, Padding::Reflect}) {
    if (name == to_string(padding)) return padding;
  }
  throw Error::misuse(fmt::format("network.border: '{}' is no rule for what lies beyond an image", name),
                      "give reflect or zeros");
}

Graph msdnet(const MsdnetOptions& options) {
  check(options);
  Graph g("msdnet", Initialisation::MixedScale, options.dimensions);
  const auto along_all = [&](int64_t value) {
    return Axes{options.dimensions == 3 ? value : 1, value, value};
  };
  std::vector<NodeId> maps{g.input(options.channels)};
  int64_t channels = options.channels;
  const auto all = [&] { return maps.size() == 1 ? maps[0] : g.concat(maps); };

  for (int64_t layer = 0; layer < options.depth; ++layer) {
    const int64_t dilation = options.dilations[static_cast<size_t>(layer) % options.dilations.size()];
    const NodeId sum = g.add(Node{fmt::format("layer{}", layer),
                                  Convolution{.in = channels,
                                              .out = options.width,
                                              .kernel = along_all(3),
                                              .dilation = along_all(dilation),
                                              .padding = options.border},
                                  {all()}});
    maps.push_back(g.relu(sum));
    channels += options.width;
  }
  const NodeId output = g.convolution(all(), "out", std::max(options.classes, int64_t{1}), 1);
  if (options.classes > 0) g.add(Softmax{}, {output});
  return g;
}

}  // namespace lucivox
