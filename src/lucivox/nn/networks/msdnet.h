#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <lucivox/base/fields.h>
#include <lucivox/nn/graph.h>

namespace lucivox {

std::string to_string(Padding padding);
// "zeros" or "reflect"; throws Error (misuse) for others.
Padding msdnet_border(const std::string& name);

// A Mixed-Scale Dense network: Pelt and Sethian, "A mixed-scale dense convolutional neural network for image
// analysis", PNAS 115(2), 2018, eqs. 3 to 5. Every layer is a dilated 3x3(x3) convolution of the input and of
// all layers before it, with ReLU; the output is a 1x1 convolution of all of them.
// [N, channels, (D,) H, W] in; the probabilities [N, classes, (D,) H, W] out, or one value (regression). With
// the defaults 101,269 parameters.
struct MsdnetOptions {
  int64_t dimensions = 3;  // of the images, 2 or 3
  int64_t channels = 1;
  int64_t classes = 2;  // 0: a value for each pixel
  int64_t width = 1, depth = 86;
  std::vector<int64_t> dilations{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};  // of the layers, repeated
  Padding border = Padding::Reflect;  // what every layer reads beyond the edge, as in the public codes; zeros

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("dimensions", self.dimensions);
    visit("channels", self.channels);
    visit("classes", self.classes);
    visit("width", self.width);
    visit("depth", self.depth);
    visit("dilations", self.dilations);
    visit("border", Name{self.border, to_string, msdnet_border});
  }
};

// Throws Error (misuse) for options that make no network.
Graph msdnet(const MsdnetOptions& options = {});

}  // namespace lucivox
