#pragma once

#include <filesystem>

#include <gtest/gtest.h>
#include <tests/error_of.h>
#include <tests/temporary_folder.h>
#include <torch/types.h>

#include <lucivox/formats/open.h>
#include <lucivox/image/image.h>

// Small images to write and read back.
namespace lucivox::testing {

// 3 slices of 5 rows and 4 columns, turned and shifted, of signed 16-bit Hounsfield units.
inline ImageInfo oblique_ct() {
  ImageInfo info;
  info.shape = {3, 5, 4};
  info.spacing_mm = {0.5, 0.75, 2.5};
  info.spacing_known = true;
  info.origin_mm = {-10.5, 20.25, 30};
  // 30 degrees about X: columns X = (1, 0, 0), Y = (0, cos, sin), Z = X x Y = (0, -sin, cos)
  const double c = std::sqrt(3.0) / 2, s = 0.5;
  info.direction = {1, 0, 0, 0, c, -s, 0, s, c};
  info.scalar = Scalar::Int16;
  info.units = Units::HU;
  return info;
}

// Whole numbers from -1024 on, all different, so that a swapped axis or a lost offset shows.
inline at::Tensor counting(const ImageInfo& info, double first = -1024, double step = 7) {
  const int64_t count = info.shape[0] * info.shape[1] * info.shape[2];
  return (at::arange(count, at::kFloat) * step + first)
      .reshape({info.shape[0], info.shape[1], info.shape[2]});
}

inline void save(const std::filesystem::path& path, const ImageInfo& info, const at::Tensor& values,
                 const Derivation& derivation = {}) {
  const auto sink = create(path, info, derivation);
  sink->write(whole(info), values);
  sink->commit();
}

inline at::Tensor load(const std::filesystem::path& path) {
  const auto source = open(path);
  return source->read(whole(source->info()));
}

// `tolerance`: of what the format keeps of a floating point number (16 characters in DICOM, float32 in
// NIfTI).
inline void expect_same_geometry(const ImageInfo& a, const ImageInfo& b, double tolerance) {
  EXPECT_EQ(a.shape, b.shape);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(a.spacing_mm[i], b.spacing_mm[i], tolerance);
    EXPECT_NEAR(a.origin_mm[i], b.origin_mm[i], tolerance);
  }
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(a.direction[i], b.direction[i], tolerance);
}

// Reading slice by slice, and a box inside, must give the same numbers as reading everything.
inline void expect_regions_agree(ImageSource& source) {
  const ImageInfo& info = source.info();
  const at::Tensor all = source.read(whole(info));
  for (int64_t z = info.shape[0]; z-- > 0;) EXPECT_TRUE(at::equal(source.read(slice(info, z))[0], all[z]));
  const Region box{{info.shape[0] - 1, 1, 2}, {1, info.shape[1] - 2, info.shape[2] - 3}};
  EXPECT_TRUE(at::equal(source.read(box),
                        all.narrow(0, box.begin[0], 1).narrow(1, 1, box.size[1]).narrow(2, 2, box.size[2])));
}

}  // namespace lucivox::testing
