#pragma once

#include <filesystem>

#include <lucivox/base/files.h>
#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/nn/model.h>

namespace lucivox {

// Enhances an image (or every image of a folder that holds images side by side) into a file or folder of the
// same kind; geometry, type and header are kept, and DICOM says what it was derived from. To a model that
// reads adjacent slices a folder of images of one slice is one stack, in natural order of their names. Throws
// Error, also (misuse) when `out` is not apart from `in` or may not be replaced; no file is left half-written
// under its final name.
void enhance_files(const Model& model, const std::filesystem::path& in, const Output& out, Reporter& reporter,
                   const StopToken& stop);

}  // namespace lucivox
