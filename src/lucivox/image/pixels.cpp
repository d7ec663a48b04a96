#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include <ATen/ops/empty.h>

#include <lucivox/image/pixels.h>

namespace lucivox {
namespace {

// Calls `body` with a zero of the type that `scalar` names.
template <typename Body>
auto with_type(Scalar scalar, const Body& body) {
  switch (scalar) {
    case Scalar::UInt8:
      return body(uint8_t{});
    case Scalar::Int8:
      return body(int8_t{});
    case Scalar::UInt16:
      return body(uint16_t{});
    case Scalar::Int16:
      return body(int16_t{});
    case Scalar::UInt32:
      return body(uint32_t{});
    case Scalar::Int32:
      return body(int32_t{});
    case Scalar::UInt64:
      return body(uint64_t{});
    case Scalar::Int64:
      return body(int64_t{});
    case Scalar::Float64:
      return body(double{});
    case Scalar::Float32:
      break;
  }
  return body(float{});
}

bool is_whole(double number) {
  return std::nearbyint(number) == number;
}

}  // namespace

at::ScalarType tensor_type(Scalar scalar) {
  return with_type(scalar, [](auto zero) { return c10::CppTypeToScalarType<decltype(zero)>::value; });
}

int64_t bytes_per_voxel(Scalar scalar) {
  return with_type(scalar, [](auto zero) { return static_cast<int64_t>(sizeof(zero)); });
}

StoredRange range_of(Scalar scalar) {
  return with_type(scalar, [](auto zero) {
    using Limits = std::numeric_limits<decltype(zero)>;
    auto high = static_cast<double>(Limits::max());
    if constexpr (Limits::digits > std::numeric_limits<double>::digits)
      high = std::nextafter(high, 0);  // it was rounded up
    return StoredRange{static_cast<double>(Limits::lowest()), high};
  });
}

bool is_float(Scalar scalar) {
  return scalar == Scalar::Float32 || scalar == Scalar::Float64;
}

void swap_bytes(std::vector<char>& bytes, size_t width) {
  for (size_t at = 0; at + width <= bytes.size(); at += width) {
    std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 bytes.begin() + static_cast<std::ptrdiff_t>(at + width));
  }
}

void to_values(const void* stored, Scalar scalar, const Calibration& calibration, int64_t count,
               float* values) {
  with_type(scalar, [&](auto zero) {
    const auto* from = static_cast<const decltype(zero)*>(stored);
    for (int64_t i = 0; i < count; ++i) {
      values[i] =
          static_cast<float>(calibration.slope * static_cast<double>(from[i]) + calibration.intercept);
    }
  });
}

void to_stored(const float* values, int64_t count, const Calibration& calibration, Scalar scalar,
               const StoredRange& range, void* stored) {
  with_type(scalar, [&](auto zero) {
    using Type = decltype(zero);
    auto* to = static_cast<Type*>(stored);
    for (int64_t i = 0; i < count; ++i) {
      double number = (static_cast<double>(values[i]) - calibration.intercept) / calibration.slope;
      if constexpr (std::is_integral_v<Type>) number = std::nearbyint(number);
      to[i] = static_cast<Type>(std::clamp(number, range.low, range.high));
    }
  });
}

at::Tensor to_values(const at::Tensor& stored, const ImageInfo& info) {
  const at::Tensor dense = stored.contiguous();
  at::Tensor values = at::empty(dense.sizes(), at::kFloat);
  to_values(dense.const_data_ptr(), info.scalar, calibration_of(info), dense.numel(),
            values.mutable_data_ptr<float>());
  return values;
}

at::Tensor to_stored(const at::Tensor& values, const ImageInfo& info) {
  const at::Tensor floats = values.to(at::kCPU, at::kFloat).contiguous();
  at::Tensor stored = at::empty(floats.sizes(), tensor_type(info.scalar));
  to_stored(floats.const_data_ptr<float>(), floats.numel(), calibration_of(info), info.scalar,
            range_of(info.scalar), stored.mutable_data_ptr());
  return stored;
}

ImageInfo without_calibration(ImageInfo info) {
  if (is_identity(calibration_of(info))) return info;
  const bool whole_hu = info.units == Units::HU && !is_float(info.scalar) &&
                        bytes_per_voxel(info.scalar) <= 2 && is_whole(info.slope) && is_whole(info.intercept);
  if (!is_float(info.scalar)) info.scalar = whole_hu ? Scalar::Int16 : Scalar::Float32;
  info.slope = 1;
  info.intercept = 0;
  return info;
}

}  // namespace lucivox
