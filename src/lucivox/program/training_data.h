#pragma once

#include <memory>

#include <lucivox/base/config.h>
#include <lucivox/train/pairs.h>

namespace lucivox {

// Pairs of slices as a configuration names them, either
//   "folder"                                  holding HQ/ (full dose) and LQ/ (low dose) with equally named
//   images
//   [{ low = "...", full = "..." }, ...]      pairs of images or volumes anywhere
// where an image is anything that open() reads and counts slice by slice.
// Throws Error when something is missing, damaged or unequal.
std::unique_ptr<PairedSlices> open_pairs(const Json& where);

}  // namespace lucivox
