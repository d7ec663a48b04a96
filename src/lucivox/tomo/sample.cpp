#include <map>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/text.h>
#include <lucivox/tomo/phantom/samples.h>
#include <lucivox/tomo/sample.h>

namespace lucivox {
namespace {

phantom::Sample random_sample(SampleKind kind, uint64_t seed) {
  switch (kind) {
    case SampleKind::Shale:
      return phantom::random_shale(seed);
    case SampleKind::Foam:
      return phantom::random_foam(seed);
    case SampleKind::Fibres:
      return phantom::random_fibres(seed);
    case SampleKind::Glass:
      break;
  }
  return phantom::random_glass(seed);
}

}  // namespace

SampleKind sample_kind(const std::string& name) {
  static const std::map<std::string, SampleKind> kinds{{"glass", SampleKind::Glass},
                                                       {"shale", SampleKind::Shale},
                                                       {"foam", SampleKind::Foam},
                                                       {"fibres", SampleKind::Fibres}};
  const auto found = kinds.find(name);
  if (found != kinds.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, kind] : kinds) names.push_back(known);
  const std::string near = nearest(name, names);
  throw Error::misuse(
      fmt::format("there is no sample '{}'", name),
      near.empty() ? "glass, shale, foam or fibres" : fmt::format("did you mean '{}'?", near));
}

at::Tensor sample_phantom(SampleKind kind, int64_t size, const std::vector<double>& heights_mm,
                          uint64_t seed) {
  if (size < 16) {
    throw Error::misuse(fmt::format("a phantom of {} x {} pixels", size, size), "at least 16 x 16");
  }
  const phantom::Sample sample = random_sample(kind, seed);
  const auto sections = static_cast<int64_t>(heights_mm.size());
  at::Tensor per_mm = at::zeros({sections, size, size}, at::kFloat);
  float* values = per_mm.mutable_data_ptr<float>();
  parallel_for(0, sections, [&](int64_t s) {
    phantom::Canvas canvas(values + s * size * size, size, kSampleFieldMm);
    sample(canvas, heights_mm[static_cast<size_t>(s)]);
  });
  return per_mm;
}

}  // namespace lucivox
