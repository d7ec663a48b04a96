#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <lucivox/image/image.h>

// Tomographic scans as a detector recorded them. V views (projections), Z rows of the detector (one a slice
// of the object), U columns, F flat fields (beam, no object), D dark fields (no beam).
namespace lucivox {

// Everything that a scan says besides its values.
struct ScanInfo {
  int64_t views = 0, rows = 0, columns = 0, flats = 0, darks = 0;
  std::vector<double> angles_rad;  // V
  std::optional<double> pixel_mm;  // of the detector, or of its image in the object
  Scalar scalar = Scalar::Float32;
  std::map<std::string, std::string> header;  // what else a person may want to see
  std::string format;                         // "DXchange", ...
};

// Views or detector rows [begin, begin + count).
struct Views {
  int64_t begin = 0, count = 0;
};
struct Rows {
  int64_t begin = 0, count = 0;
};

inline Views all_views(const ScanInfo& info) {
  return {0, info.views};
}
inline Rows all_rows(const ScanInfo& info) {
  return {0, info.rows};
}

// The frames of a scan, each stack an image [frame, Z, U]; no flats or darks: null.
struct ScanFrames {
  std::unique_ptr<ImageSource> projections, flats, darks;
};

// What a scan says of itself besides its frames.
struct ScanSetup {
  std::vector<double> angles_rad;
  std::optional<double> pixel_mm;
};

// A readable scan, opened but not loaded (formats/projections.h opens one from a path). May be read
// from several threads.
class ProjectionSource {
 public:
  // `name`, for messages: its path; `format` and `header` as in ScanInfo, the latter that of the projections.
  // Throws Error when the number of angles is not that of the projections, an angle is not finite, a pixel
  // has no size, or flats or darks differ in size from the projections.
  ProjectionSource(std::string name, std::string format, ScanFrames frames, ScanSetup setup);

  const ScanInfo& info() const { return info_; }
  const std::string& name() const { return name_; }

  // float32 [views, rows, U], as recorded. Throws Error when the file is damaged or the range lies outside.
  at::Tensor read(Views views, Rows rows) const;
  // These rows of all views: what the reconstruction of some slices needs.
  at::Tensor read(Rows rows) const;
  // float32 [F, rows, U] and [D, rows, U].
  at::Tensor read_flats(Rows rows) const;
  at::Tensor read_darks(Rows rows) const;

 private:
  std::string name_;
  ScanFrames frames_;
  ScanInfo info_;
};

// A scan in memory: [V, Z, U], [F, Z, U], [D, Z, U], float32; no flats or darks: undefined or of 0 frames.
struct Scan {
  at::Tensor projections, flats, darks;
  ScanSetup setup;
};

// A source over it: simulations, tests. Throws as ProjectionSource does.
std::unique_ptr<ProjectionSource> memory_projections(const Scan& scan, const std::string& name = "memory");

}  // namespace lucivox
