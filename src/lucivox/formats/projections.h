#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <lucivox/image/projections.h>

namespace lucivox {

// Opens a tomographic scan:
//   .h5 .hdf5 ...  DXchange by content: "/exchange/data" [V, Z, U] and "/exchange/theta", in degrees unless
//   its
//                  attribute "units" says radians; "/exchange/data_white" and "/exchange/data_dark" when they
//                  are there; pixels by the attribute "element_size_um" of the data
//   .toml          a description of stacks of images, or of raw files; paths in it are relative to it:
//
//   projections = "proj"           # a folder of TIFFs (in natural order of their names: 2 before 10), one
//   file
//                                  # of all frames (TIFF, "scan.h5:/exchange/data", ...), or a raw file
//   flats = "flat"                 # likewise, where there are any
//   darks = "dark"
//   angles_deg = [0.0, 0.5, 1.0]   # one a projection; or angles_file = "angles.txt", in degrees, one a line;
//                                  # or angle_range_deg = [0, 180], evenly from the first to before the last
//   pixel_mm = 0.001               # optional
//   [raw]                          # files without a header: all frames one after the other
//   shape = [1500, 1024, 2048]     # V, Z, U
//   flats = 20                     # frames in the file of flats
//   darks = 10
//   type = "uint16"                # int8 to uint32, float32, float64
//   byte_order = "little"          # or "big"
//   offset = 0                     # bytes before the first value of each file
//
// Throws Error when something is missing, truncated, in colour, unknown or of another size than the rest; and
// as ProjectionSource does. Values are returned as recorded, NaN included.
std::unique_ptr<ProjectionSource> open_projections(const std::filesystem::path& path);

// The files and folders that a scan is read from: the scan itself, and all that a description names. Throws
// Error when there is no such scan or its description is wrong.
std::vector<std::filesystem::path> files_of_scan(const std::filesystem::path& path);

// Whether `path` is such a scan: a description, or HDF5 with projections and their angles.
bool is_scan(const std::filesystem::path& path);

// Writes a scan as DXchange in float32, whole or not at all. Throws Error when a value is not finite, sizes
// differ (as ProjectionSource does), or the disk is full.
void write_dxchange(const std::filesystem::path& path, const Scan& scan);

}  // namespace lucivox
