#include <algorithm>
#include <cmath>
#include <limits>

#include <lucivox/tomo/phantom/tree.h>

namespace lucivox::phantom {
namespace {

// A target that no branch has reached yet, and the cheapest way to it so far.
struct Waiting {
  Point3 place;
  double cost;
  int from;
};

// Takes the corners out of the ways: every branch point moves towards the middle of its neighbours.
void smooth(std::vector<Branch>& tree) {
  struct Sum {
    double x = 0, y = 0, z = 0, count = 0;
  };
  std::vector<Sum> children(tree.size());
  for (const Branch& branch : tree) {
    if (branch.parent < 0) continue;
    Sum& sum = children[static_cast<size_t>(branch.parent)];
    sum = {sum.x + branch.end.x, sum.y + branch.end.y, sum.z + branch.end.z, sum.count + 1};
  }
  for (size_t i = 1; i < tree.size(); ++i) {
    const Sum& sum = children[i];
    if (sum.count == 0) continue;
    const Point3& before = tree[static_cast<size_t>(tree[i].parent)].end;
    Point3& end = tree[i].end;
    end = {end.x / 2 + (before.x + sum.x / sum.count) / 4, end.y / 2 + (before.y + sum.y / sum.count) / 4,
           end.z / 2 + (before.z + sum.z / sum.count) / 4};
  }
}

void set_radii(std::vector<Branch>& tree, double tip_radius) {
  std::vector<double> cubes(tree.size(), 0);
  for (size_t i = tree.size(); i-- > 0;) {
    if (cubes[i] == 0) cubes[i] = tip_radius * tip_radius * tip_radius;
    tree[i].radius = std::cbrt(cubes[i]);
    if (tree[i].parent >= 0) cubes[static_cast<size_t>(tree[i].parent)] += cubes[i];
  }
}

}  // namespace

std::vector<Branch> grow_tree(const Point3& root, const std::vector<Point3>& targets, double balance,
                              double tip_radius) {
  std::vector<Branch> tree{{root, -1}};
  std::vector<double> way{0};
  std::vector<Waiting> waiting;
  for (const Point3& target : targets) {
    waiting.push_back({target, std::numeric_limits<double>::infinity(), -1});
  }
  while (!waiting.empty()) {
    const auto newest = static_cast<int>(tree.size()) - 1;
    const Point3 end = tree.back().end;
    const double behind = balance * way.back();
    size_t best = 0;
    for (size_t i = 0; i < waiting.size(); ++i) {
      const double cost = distance(end, waiting[i].place) + behind;
      if (cost < waiting[i].cost) {
        waiting[i].cost = cost;
        waiting[i].from = newest;
      }
      if (waiting[i].cost < waiting[best].cost) best = i;
    }
    const Waiting next = waiting[best];
    waiting[best] = waiting.back();
    waiting.pop_back();
    const auto parent = static_cast<size_t>(next.from);
    way.push_back(way[parent] + distance(tree[parent].end, next.place));
    tree.push_back({next.place, next.from});
  }
  smooth(tree);
  smooth(tree);
  set_radii(tree, tip_radius);
  return tree;
}

}  // namespace lucivox::phantom
