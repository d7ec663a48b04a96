#pragma once

#include <map>

#include <lucivox/nn/weights.h>

namespace lucivox {

// Which filters of a convolution are left, by the convolution's name: ascending, at least one. Convolutions
// that are not named keep all.
using KeptFilters = std::map<std::string, std::vector<int64_t>>;

// How a network was made smaller by removing channels: what it was, and which channels of every node's output
// there are left. Filters decide; every other node passes on, or joins, the channels that it reads.
struct Shrinking {
  Graph dense;
  std::vector<std::vector<int64_t>> kept;  // of each node, in the dense network's numbers
};

// Throws Error when a name or number is not of this graph, or the network's output would lose a channel.
Shrinking shrinking_of(const Graph& dense, const KeptFilters& filters);

// The graph that is left: the same nodes under the same names, with fewer channels.
Graph shrunk_graph(const Shrinking& shrinking);

// Tensors under the names of the dense network's weights (the weights themselves, masks, an optimiser's
// moments; any choice of them), cut to what is left, and put back at their own places with zeros between
// (ones in running variances, the start of a batch norm). Nothing is shared with what is given. Both throw
// Error for a name or a shape of another network.
NamedTensors shrink(const Shrinking& shrinking, const NamedTensors& dense);
NamedTensors expand(const Shrinking& shrinking, const NamedTensors& shrunk);

// The same for all of a network.
Weights shrink(const Shrinking& shrinking, const Weights& dense);
Weights expand(const Shrinking& shrinking, const Weights& shrunk);

Json to_json(const Shrinking& shrinking);
// Throws Error when the description is not a sound one: the file may come from anywhere.
Shrinking shrinking_from_json(const Json& json);

}  // namespace lucivox
