#pragma once

#include <lucivox/base/reporter.h>
#include <lucivox/base/stop.h>
#include <lucivox/image/image.h>
#include <lucivox/nn/model.h>

namespace lucivox {

// One slice, float32 [Y, X] in physical units, through the model: mapped to unit range, enhanced, mapped
// back. `slices_CYX`: with as many adjacent slices, itself in the middle, as the model reads.
at::Tensor enhance_slice(const Model& model, const at::Tensor& slices_CYX);

// Every slice of `source`, written to `sink` (which is not committed). A model that reads adjacent slices
// reads the outermost one again where there is no other. Pixels that the scanner marked as padding take part
// as air and are written as they were. Slices of more than about 2048 x 2048 pixels are computed in tiles
// with a halo of real neighbours when the model's mapping is the same everywhere. Throws Error for NaN in the
// source and as source and sink do.
void enhance(const Model& model, ImageSource& source, VoxelSink& sink, Reporter& reporter,
             const StopToken& stop);

}  // namespace lucivox
