#include <array>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/networks/vgg.h>

namespace lucivox {

std::vector<Graph> vgg_blocks(int64_t layers) {
  if (layers != 16 && layers != 19)
    throw Error::misuse(fmt::format("a VGG of {} layers", layers), "there are VGG-16 and VGG-19");
  constexpr std::array<int64_t, 5> kWidths{64, 128, 256, 512, 512};
  std::vector<Graph> blocks;
  int64_t number = 0;  // torchvision counts convolutions, activations and poolings
  int64_t channels = 3;
  for (size_t block = 0; block < kWidths.size(); ++block) {
    const int64_t convolutions = block < 2 ? 2 : layers == 16 ? 3 : 4;
    Graph g(fmt::format("vgg{}", layers));
    NodeId x = g.input(channels);
    for (int64_t i = 0; i < convolutions; ++i, number += 2)
      x = g.relu(g.convolution(x, fmt::format("features.{}", number), kWidths[block], 3));
    g.max_pool(x, {.kernel = 2, .stride = 2, .padding = 0});
    ++number;
    channels = kWidths[block];
    blocks.push_back(std::move(g));
  }
  return blocks;
}

}  // namespace lucivox
