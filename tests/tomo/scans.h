#pragma once

#include <vector>

#include <lucivox/tomo/geometry.h>

namespace lucivox {

// Geometries to be held to the truth: angles off every grid and next to 45 degrees, images that are not
// square, detectors finer and coarser than pixels, wider and narrower than the image, centres aside, all
// three beams, and a fan so wide that rays of one view march both ways on both sides.
inline std::vector<ScanGeometry> odd_scans() {
  const std::vector<double> angles{0.0, 0.1, 0.7854, 0.9, 1.5707963267948966, 2.2, 3.0, -1.3, 6.0};
  std::vector<ScanGeometry> scans{{angles, 1, 1, 1, 1, 1},      {angles, 5, 0.7, 3, 7, 1.3},
                                  {angles, 33, 1, 33, 17, 1},   {angles, 64, 0.5, 20, 31, 1, 20.3},
                                  {angles, 13, 2.5, 16, 16, 1}, {angles, 97, 1, 64, 64, 1}};
  for (const Beam beam : {Beam::FanFlat, Beam::FanCurved}) {
    scans.push_back({angles, 90, 1.2, 40, 30, 1, 41.7, beam, 60, 100});
    scans.push_back({angles, 60, 0.41, 20, 20, 0.5, {}, beam, 8, 9});
  }
  return scans;
}

}  // namespace lucivox
