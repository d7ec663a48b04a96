#pragma once

#include <filesystem>

#include <lucivox/base/files.h>
#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/tomo/simulate_ct.h>
#include <lucivox/tomo/simulate_tomo.h>

namespace lucivox {

// Writes slices [first, first + count) of a simulation into the folder `out` as HQ (full dose), LQ (low dose)
// and truth (the phantom), each with slice_0000.tif, ...: float32, HU, with the pixel size. Gives their
// number. Throws Error when the folder may not be written, or when stopped.
int64_t simulate_ct_files(const Output& out, const CtSimulation& simulation, int64_t first, int64_t count,
                          Reporter& reporter, const StopToken& stop);

// The same from the slices of a real CT in HU, which give their number. Where the simulation's size is 0, its
// field is as wide as the longer side of the slices, and has as many pixels along it; a size or a pixel_mm
// that is given stands. Padding counts as air. Throws Error (misuse) when `out` is not apart from `image`,
// too.
int64_t simulate_ct_files_from(const std::filesystem::path& image, const Output& out,
                               const CtSimulation& simulation, Reporter& reporter, const StopToken& stop);

// What simulated samples are written as, besides folders of TIFF.
enum class TomoFiles { Folders, FoldersAndHdf5 };

// All slices of a simulation, written in the same way: HQ (the good scan), LQ (the poor one) and truth (the
// sample) in 1/mm. With HDF5 also clean.h5 and noisy.h5, each with one data set "images" [S, Y,
// X], as the public TomoGAN code reads them.
int64_t simulate_tomo_files(const Output& out, const TomoSimulation& simulation, TomoFiles files,
                            Reporter& reporter, const StopToken& stop);

}  // namespace lucivox
