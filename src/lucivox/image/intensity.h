#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <lucivox/base/config.h>
#include <lucivox/image/image.h>

namespace lucivox {

// How physical values become the numbers a network sees, and back. Stored in every model file.
struct IntensityMapping {
  enum class Kind {
    Window,  // (value - low) / (high - low), the same for every image: enhancement stays quantitative
    // 1 - (value - min) / (max - min) with each slice's own minimum (at least -1024) and maximum, as the
    // public DDNet code does (utils/image_read.py, data_loader/custom_load.py); for imported weights only.
    SliceMinMax,
  };
  Kind kind = Kind::Window;
  // The default window: water in the middle and air well above 0, because DDNet ends in a leaky ReLU, whose
  // kink at 0 would bias whatever lies near it. Values outside are mapped linearly too, never clipped.
  double low = -1536, high = 1536;
  Units units = Units::HU;  // of the values
};

// The offset and scale of one mapping applied to one batch: unit = (value - offset) / scale.
// Scalars for a window; [N, 1, 1, 1] for SliceMinMax.
struct AppliedMapping {
  at::Tensor offset, scale;

  at::Tensor to_unit(const at::Tensor& values) const;
  at::Tensor from_unit(const at::Tensor& unit) const;
};

// `values`: float32 [N, C, H, W] in physical units. A slice of one value only has scale 1.
AppliedMapping apply_mapping(const IntensityMapping& mapping, const at::Tensor& values);

Json to_json(const IntensityMapping& mapping);
IntensityMapping mapping_from_json(const Json& json);   // throws Error (empty window, unknown kind)
std::string describe(const IntensityMapping& mapping);  // "fixed window -1536 .. 1536"

}  // namespace lucivox
