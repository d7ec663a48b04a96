#pragma once

#include <vector>

#include <lucivox/nn/graph.h>

namespace lucivox {

// The convolutions of VGG-16 or VGG-19 (Simonyan and Zisserman, ICLR 2015, table 1, D and E) as five blocks,
// each of 3x3 convolutions with ReLU and a 2x2 max pool at its end; the first reads [N, 3, H, W]. Weights
// carry torchvision's names, "features.0.weight" and so on through all blocks. Throws Error (misuse) for
// other numbers of layers.
std::vector<Graph> vgg_blocks(int64_t layers);

}  // namespace lucivox
