#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include <lucivox/base/config.h>
#include <lucivox/base/reporter.h>
#include <lucivox/train/pairs.h>

namespace lucivox {

// Pairs of slices as a configuration names them, either
//   "folder"                                  with HQ/ (full dose) and LQ/ (low dose), whose images have the
//                                             same names and follow each other in natural order: 2 before 10
//   [{ low = "...", full = "..." }, ...]      pairs of images or volumes anywhere
// where an image is anything that open() reads and counts slice by slice.
// Throws Error when something is missing, damaged or unequal. Strays in the folders are noted.
std::unique_ptr<PairedSlices> open_pairs(const Json& where, Reporter& reporter);

// The files and folders that open_pairs() reads. Throws Error (misuse) when the configuration is wrong.
std::vector<std::filesystem::path> files_of_pairs(const Json& where);

}  // namespace lucivox
