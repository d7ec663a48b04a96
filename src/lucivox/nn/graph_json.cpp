#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/nn/graph.h>

namespace lucivox {
namespace {

constexpr size_t kMaxNodes = 100000;

Json operation_json(const Input& op) {
  return {{"op", "input"}, {"channels", op.channels}};
}
Json operation_json(const Convolution& op) {
  return {{"op", "convolution"},         {"in", op.in},        {"out", op.out}, {"kernel", op.kernel},
          {"transposed", op.transposed}, {"stride", op.stride}};
}
// What has its default is left out where older versions do not know it, so that they open the network, too.
Json operation_json(const BatchNorm& op) {
  Json json = {{"op", "batch_norm"}, {"channels", op.channels}, {"eps", op.eps}, {"momentum", op.momentum}};
  if (op.statistics != NormStatistics::Running) json["statistics"] = to_string(op.statistics);
  return json;
}
Json operation_json(const LeakyRelu& op) {
  return {{"op", "leaky_relu"}, {"slope", op.slope}};
}
Json operation_json(const MaxPool& op) {
  return {{"op", "max_pool"}, {"kernel", op.kernel}, {"stride", op.stride}, {"padding", op.padding}};
}
Json operation_json(const Upsample& op) {
  return {{"op", "upsample"}, {"factor", op.factor}, {"align_corners", op.align_corners}};
}
Json operation_json(const Dense& op) {
  return {{"op", "dense"}, {"channels", op.channels}, {"side", op.side}, {"out", op.out}};
}
Json operation_json(const Concat&) {
  return {{"op", "concat"}};
}

Operation operation_from_json(ConfigTable& table) {
  std::string op;
  table.read("op", op);
  if (op == "input") {
    Input input;
    table.read("channels", input.channels);
    return input;
  }
  if (op == "convolution") {
    Convolution conv;
    table.read("in", conv.in);
    table.read("out", conv.out);
    table.read("kernel", conv.kernel);
    table.read("transposed", conv.transposed);
    table.read("stride", conv.stride);
    return conv;
  }
  if (op == "batch_norm") {
    BatchNorm norm;
    table.read("channels", norm.channels);
    table.read("eps", norm.eps);
    table.read("momentum", norm.momentum);
    std::string statistics = to_string(norm.statistics);
    table.read("statistics", statistics);
    norm.statistics = norm_statistics(statistics);
    return norm;
  }
  if (op == "leaky_relu") {
    LeakyRelu relu;
    table.read("slope", relu.slope);
    return relu;
  }
  if (op == "max_pool") {
    MaxPool pool;
    table.read("kernel", pool.kernel);
    table.read("stride", pool.stride);
    table.read("padding", pool.padding);
    return pool;
  }
  if (op == "upsample") {
    Upsample up;
    table.read("factor", up.factor);
    table.read("align_corners", up.align_corners);
    return up;
  }
  if (op == "dense") {
    Dense dense;
    table.read("channels", dense.channels);
    table.read("side", dense.side);
    table.read("out", dense.out);
    return dense;
  }
  if (op == "concat") return Concat{};
  throw Error(fmt::format("unknown network operation '{}'", op),
              "the model may come from a newer lucivox: update");
}

}  // namespace

std::string to_string(NormStatistics statistics) {
  return statistics == NormStatistics::Running ? "running" : "batch";
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
    json.update(std::visit([](const auto& op) { return operation_json(op); }, node.operation));
    nodes.push_back(std::move(json));
  }
  return {{"architecture", graph.architecture()}, {"nodes", std::move(nodes)}};
}

Graph graph_from_json(const Json& json) {
  ConfigTable top(json, "graph");
  std::string architecture = "custom";
  std::vector<Json> nodes;
  top.read("architecture", architecture);
  top.read("nodes", nodes);
  top.finish();
  if (nodes.empty() || nodes.size() > kMaxNodes) {
    throw Error(fmt::format("a network of {} nodes", nodes.size()), "the model file is damaged");
  }
  Graph graph(architecture);
  for (const Json& json_node : nodes) {
    Node node;
    ConfigTable table(json_node, "graph.nodes");
    table.read("name", node.name);
    table.read("inputs", node.inputs);
    node.operation = operation_from_json(table);
    table.finish();
    graph.add(std::move(node));
  }
  return graph;
}

}  // namespace lucivox
