#pragma once

#include <filesystem>

#include <fmt/format.h>
#include <torch/types.h>

#include <lucivox/formats/open.h>

namespace lucivox {

// float32 [Z, Y, X] into a file of the kind that its name tells.
inline void write_image(const std::filesystem::path& path, const at::Tensor& values,
                        Scalar scalar = Scalar::Float32, Units units = Units::HU) {
  ImageInfo info;
  info.shape = {values.size(0), values.size(1), values.size(2)};
  info.units = units;
  info.scalar = scalar;
  const auto sink = create(path, info);
  sink->write(whole(info), values);
  sink->commit();
}

inline at::Tensor read_image(const std::filesystem::path& path) {
  const auto source = open(path);
  return source->read(whole(source->info()));
}

// HQ/ and LQ/ with `count` slices of smooth blobs, LQ with noise.
inline void write_pairs(const std::filesystem::path& folder, int64_t count, int64_t side) {
  torch::manual_seed(count);
  for (const char* part : {"HQ", "LQ"}) std::filesystem::create_directories(folder / part);
  for (int64_t i = 0; i < count; ++i) {
    const at::Tensor full =
        at::upsample_bilinear2d(torch::randn({1, 1, 4, 4}) * 300, {side, side}, true).squeeze(0);
    write_image(folder / "HQ" / fmt::format("{}.tif", i), full);
    write_image(folder / "LQ" / fmt::format("{}.tif", i), full + 80 * torch::randn_like(full));
  }
}

}  // namespace lucivox
