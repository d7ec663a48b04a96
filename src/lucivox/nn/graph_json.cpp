#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/overload.h>
#include <lucivox/nn/graph.h>

namespace lucivox {
namespace {

constexpr size_t kMaxNodes = 100000;

// Names of what an enumeration has, in its order.
constexpr std::array kStatistics{"running", "batch"};
constexpr std::array kInterpolations{"nearest", "linear"};
constexpr std::array kGrids{"corners", "edges", "origins"};

template <typename Names, typename Enumeration>
const char* name_in(const Names& names, Enumeration value) {
  return names[static_cast<size_t>(value)];
}

template <typename Names, typename Enumeration>
void read_name(ConfigTable& table, const char* key, const Names& names, Enumeration& value) {
  std::string name = name_in(names, value);
  table.read(key, name);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end())
    throw Error(fmt::format("unknown {} '{}' in a network", key, name),
                "the model may come from a newer lucivox: update");
  value = static_cast<Enumeration>(found - names.begin());
}

// A number where all axes are alike, else one for each, z first where there is one.
Json axes_json(const Axes& axes, int64_t dimensions) {
  const std::vector<int64_t> used(axes.begin() + (dimensions == 3 ? 0 : 1), axes.end());
  const bool alike = std::all_of(used.begin(), used.end(), [&](int64_t one) { return one == used[0]; });
  return alike ? Json(used[0]) : Json(used);
}

// `beside`: along z in two dimensions.
void read_axes(ConfigTable& table, const char* key, int64_t dimensions, Axes& axes, int64_t beside = 1) {
  Json given;
  table.read(key, given);
  if (given.is_null()) return;
  std::vector<int64_t> used(static_cast<size_t>(dimensions));
  if (given.is_array()) {
    table.read(key, used);
  } else {
    table.read(key, used[0]);
    std::fill(used.begin(), used.end(), used[0]);
  }
  if (std::ssize(used) != dimensions)
    throw Error(fmt::format("{} of a network node has {} numbers for {} axes", key, used.size(), dimensions),
                "the model file is damaged or made by hand");
  axes = {beside, beside, beside};
  std::copy(used.begin(), used.end(), axes.end() - dimensions);
}

// What has its default is left out where older versions do not know it, so that they open the network, too.
class Writing {
 public:
  explicit Writing(int64_t dimensions) : dimensions_(dimensions) {}

  Json operator()(const Input& op) const { return {{"op", "input"}, {"channels", op.channels}}; }
  Json operator()(const Convolution& op) const {
    Json json = {{"op", "convolution"},
                 {"in", op.in},
                 {"out", op.out},
                 {"kernel", axes(op.kernel)},
                 {"transposed", op.transposed},
                 {"stride", axes(op.stride)}};
    if (op.dilation != kOnes) json["dilation"] = axes(op.dilation);
    if (op.groups != 1) json["groups"] = op.groups;
    if (op.padding != Padding::Zeros) json["padding"] = name_in(kPaddingNames, op.padding);
    return json;
  }
  Json operator()(const BatchNorm& op) const {
    Json json = {{"op", "batch_norm"}, {"channels", op.channels}, {"eps", op.eps}, {"momentum", op.momentum}};
    if (op.statistics != NormStatistics::Running) json["statistics"] = to_string(op.statistics);
    return json;
  }
  Json operator()(const LeakyRelu& op) const { return {{"op", "leaky_relu"}, {"slope", op.slope}}; }
  Json operator()(const Elu& op) const { return {{"op", "elu"}, {"alpha", op.alpha}}; }
  Json operator()(const Swish&) const { return {{"op", "swish"}}; }
  Json operator()(const Sigmoid&) const { return {{"op", "sigmoid"}}; }
  Json operator()(const Softmax&) const { return {{"op", "softmax"}}; }
  Json operator()(const MaxPool& op) const { return pool("max_pool", op); }
  Json operator()(const AveragePool& op) const { return pool("average_pool", op); }
  Json operator()(const Upsample& op) const {
    Json json = {
        {"op", "upsample"}, {"factor", axes(op.factor)}, {"align_corners", op.grids == Grids::Corners}};
    if (op.interpolation != Interpolation::Linear)
      json["interpolation"] = name_in(kInterpolations, op.interpolation);
    if (op.grids == Grids::Origins) json["grids"] = name_in(kGrids, op.grids);
    return json;
  }
  Json operator()(const Concat&) const { return {{"op", "concat"}}; }
  Json operator()(const Add&) const { return {{"op", "add"}}; }
  Json operator()(const Dense& op) const {
    return {{"op", "dense"}, {"channels", op.channels}, {"side", op.side}, {"out", op.out}};
  }

 private:
  Json axes(const Axes& of) const { return axes_json(of, dimensions_); }
  template <typename Pool>
  Json pool(const char* name, const Pool& op) const {
    return {{"op", name},
            {"kernel", axes(op.kernel)},
            {"stride", axes(op.stride)},
            {"padding", axes(op.padding)}};
  }

  int64_t dimensions_;
};

template <typename Pool>
Pool read_pool(ConfigTable& table, int64_t dimensions) {
  Pool pool;
  read_axes(table, "kernel", dimensions, pool.kernel);
  read_axes(table, "stride", dimensions, pool.stride);
  read_axes(table, "padding", dimensions, pool.padding, 0);
  return pool;
}

Convolution read_convolution(ConfigTable& table, int64_t dimensions) {
  Convolution conv;
  table.read("in", conv.in);
  table.read("out", conv.out);
  read_axes(table, "kernel", dimensions, conv.kernel);
  table.read("transposed", conv.transposed);
  read_axes(table, "stride", dimensions, conv.stride);
  read_axes(table, "dilation", dimensions, conv.dilation);
  table.read("groups", conv.groups);
  read_name(table, "padding", kPaddingNames, conv.padding);
  return conv;
}

BatchNorm read_batch_norm(ConfigTable& table) {
  BatchNorm norm;
  table.read("channels", norm.channels);
  table.read("eps", norm.eps);
  table.read("momentum", norm.momentum);
  read_name(table, "statistics", kStatistics, norm.statistics);
  return norm;
}

Upsample read_upsample(ConfigTable& table, int64_t dimensions) {
  Upsample up;
  bool align_corners = true;
  read_axes(table, "factor", dimensions, up.factor);
  table.read("align_corners", align_corners);
  up.grids = align_corners ? Grids::Corners : Grids::Edges;
  read_name(table, "interpolation", kInterpolations, up.interpolation);
  read_name(table, "grids", kGrids, up.grids);
  return up;
}

Operation operation_from_json(ConfigTable& table, int64_t dimensions) {
  std::string op;
  table.read("op", op);
  if (op == "input") {
    Input input;
    table.read("channels", input.channels);
    return input;
  }
  if (op == "convolution") return read_convolution(table, dimensions);
  if (op == "batch_norm") return read_batch_norm(table);
  if (op == "leaky_relu") {
    LeakyRelu relu;
    table.read("slope", relu.slope);
    return relu;
  }
  if (op == "elu") {
    Elu elu;
    table.read("alpha", elu.alpha);
    return elu;
  }
  if (op == "swish") return Swish{};
  if (op == "sigmoid") return Sigmoid{};
  if (op == "softmax") return Softmax{};
  if (op == "max_pool") return read_pool<MaxPool>(table, dimensions);
  if (op == "average_pool") return read_pool<AveragePool>(table, dimensions);
  if (op == "upsample") return read_upsample(table, dimensions);
  if (op == "dense") {
    Dense dense;
    table.read("channels", dense.channels);
    table.read("side", dense.side);
    table.read("out", dense.out);
    return dense;
  }
  if (op == "concat") return Concat{};
  if (op == "add") return Add{};
  throw Error(fmt::format("unknown network operation '{}'", op),
              "the model may come from a newer lucivox: update");
}

}  // namespace

std::string to_string(NormStatistics statistics) {
  return name_in(kStatistics, statistics);
}

NormStatistics norm_statistics(const std::string& name) {
  for (const NormStatistics known : {NormStatistics::Running, NormStatistics::Batch}) {
    if (name == to_string(known)) return known;
  }
  throw Error::misuse(fmt::format("unknown statistics '{}' of batch norms", name),
                      "use 'running' or 'batch'");
}

Json to_json(const Graph& graph) {
  Json nodes = Json::array();
  for (const Node& node : graph.nodes()) {
    Json json = {{"name", node.name}, {"inputs", node.inputs}};
    json.update(std::visit(Writing(graph.dimensions()), node.operation));
    nodes.push_back(std::move(json));
  }
  Json json = {{"architecture", graph.architecture()}, {"nodes", std::move(nodes)}};
  if (graph.dimensions() != 2) json["dimensions"] = graph.dimensions();
  return json;
}

Graph graph_from_json(const Json& json) {
  ConfigTable top(json, "graph");
  std::string architecture = "custom";
  int64_t dimensions = 2;
  std::vector<Json> nodes;
  top.read("architecture", architecture);
  top.read("dimensions", dimensions);
  top.read("nodes", nodes);
  top.finish();
  if (nodes.empty() || nodes.size() > kMaxNodes) {
    throw Error(fmt::format("a network of {} nodes", nodes.size()), "the model file is damaged");
  }
  if (dimensions != 2 && dimensions != 3)
    throw Error(fmt::format("a network of {} dimensions", dimensions), "the model file is damaged");
  Graph graph(architecture, Initialisation::Glorot, dimensions);
  for (const Json& json_node : nodes) {
    Node node;
    ConfigTable table(json_node, "graph.nodes");
    table.read("name", node.name);
    table.read("inputs", node.inputs);
    node.operation = operation_from_json(table, dimensions);
    table.finish();
    graph.add(std::move(node));
  }
  return graph;
}

}  // namespace lucivox
