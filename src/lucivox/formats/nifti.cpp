#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include <fmt/format.h>
#include <nifti1_io.h>
#include <zlib.h>

#include <lucivox/formats/checks.h>
#include <lucivox/formats/formats.h>
#include <lucivox/formats/staging.h>
#include <lucivox/formats/volume.h>
#include <lucivox/image/pixels.h>

// NIfTI-1 (https://nifti.nimh.nih.gov/nifti-1). Its world is RAS: X and Y have the other sign than in LPS.
namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

constexpr double kRasToLps[] = {-1, -1, 1};
constexpr int64_t kMostVoxelsAnAxis = std::numeric_limits<int16_t>::max();

using Header = std::unique_ptr<nifti_image, decltype(&nifti_image_free)>;

struct Type {
  int code;
  Scalar scalar;
};

constexpr Type kTypes[] = {{NIFTI_TYPE_UINT8, Scalar::UInt8},     {NIFTI_TYPE_INT8, Scalar::Int8},
                           {NIFTI_TYPE_UINT16, Scalar::UInt16},   {NIFTI_TYPE_INT16, Scalar::Int16},
                           {NIFTI_TYPE_UINT32, Scalar::UInt32},   {NIFTI_TYPE_INT32, Scalar::Int32},
                           {NIFTI_TYPE_UINT64, Scalar::UInt64},   {NIFTI_TYPE_INT64, Scalar::Int64},
                           {NIFTI_TYPE_FLOAT32, Scalar::Float32}, {NIFTI_TYPE_FLOAT64, Scalar::Float64}};

// ---- reading ----

Scalar scalar_of(const fs::path& file, int code) {
  for (const Type& type : kTypes) {
    if (type.code == code) return type.scalar;
  }
  if (code == NIFTI_TYPE_RGB24 || code == NIFTI_TYPE_RGBA32) throw in_colour(file);
  throw Error(fmt::format("{} has voxels of type {}, which is not supported", file.string(),
                          nifti_datatype_string(code)),
              "convert it to an integer of at most 32 bits or to floating point");
}

double mm_per_unit(int units) {
  switch (units) {
    case NIFTI_UNITS_METER:
      return 1000;
    case NIFTI_UNITS_MICRON:
      return 1e-3;
    default:
      return 1;
  }
}

// From voxels to RAS. The sform is preferred, as nibabel does: it is what registration tools write.
mat44 voxel_to_world(const nifti_image& header) {
  if (header.sform_code > 0) return header.sto_xyz;
  if (header.qform_code > 0) return header.qto_xyz;
  mat44 scaling{};
  scaling.m[0][0] = header.dx;
  scaling.m[1][1] = header.dy;
  scaling.m[2][2] = header.dz;
  scaling.m[3][3] = 1;
  return scaling;
}

void read_geometry(const fs::path& file, const nifti_image& header, ImageInfo& info) {
  const mat44 world = voxel_to_world(header);
  const double mm = mm_per_unit(header.xyz_units);
  for (size_t axis = 0; axis < 3; ++axis) {
    double squares = 0;
    for (size_t row = 0; row < 3; ++row) squares += std::pow(static_cast<double>(world.m[row][axis]), 2);
    const double length = std::sqrt(squares);
    if (!(length > 0) || !std::isfinite(length)) throw damaged(file, "its orientation matrix is degenerate");
    info.spacing_mm[axis] = length * mm;
    for (size_t row = 0; row < 3; ++row) {
      info.direction[3 * row + axis] = kRasToLps[row] * static_cast<double>(world.m[row][axis]) / length;
    }
    info.origin_mm[axis] = kRasToLps[axis] * static_cast<double>(world.m[axis][3]) * mm;
  }
  // many programs leave the unit out and mean mm
  info.spacing_known = header.xyz_units != NIFTI_UNITS_UNKNOWN || info.spacing_mm != ImageInfo{}.spacing_mm;
}

// Before the library sees the header: it prints what it finds wrong.
void require_sound(const fs::path& file, const nifti_1_header& header) {
  if (std::memcmp(header.magic, "n+1", 4) != 0) throw damaged(file, "it is no NIfTI-1 file");
  scalar_of(file, header.datatype);
  if (header.dim[0] < 1 || header.dim[0] > 7)
    throw damaged(file, fmt::format("it has {} axes", header.dim[0]));
  for (int axis = 1; axis <= header.dim[0]; ++axis) {
    if (header.dim[axis] < 1)
      throw damaged(file, fmt::format("its axis {} has {} voxels", axis, header.dim[axis]));
    if (axis > 3 && header.dim[axis] > 1) {
      throw Error(fmt::format("{} holds {} volumes; lucivox reads one volume a file", file.string(),
                              header.dim[axis]),
                  "split it into one file a volume");
    }
  }
}

void read_text(ImageInfo& info, const char* key, const char* text, size_t room) {
  if (std::string kept = clean_text(std::string_view(text, room)); !kept.empty())
    info.header[key] = std::move(kept);
}

ImageInfo describe(const fs::path& file, const nifti_image& header) {
  ImageInfo info;
  info.format = "NIfTI";
  info.shape = {header.nz, header.ny, header.nx};
  info.scalar = scalar_of(file, header.datatype);
  const auto slope = static_cast<double>(header.scl_slope), intercept = static_cast<double>(header.scl_inter);
  if (slope != 0 && std::isfinite(slope) && std::isfinite(intercept)) {  // else: no scaling
    info.slope = slope;
    info.intercept = intercept;
  }
  read_geometry(file, header, info);
  read_text(info, "descrip", header.descrip, sizeof header.descrip);
  read_text(info, "aux_file", header.aux_file, sizeof header.aux_file);
  read_text(info, "intent_name", header.intent_name, sizeof header.intent_name);
  return info;
}

// The library takes voxels that a truncated file lacks for zeros; here they are an Error.
std::vector<char> load(const fs::path& file, const ImageInfo& info, int64_t offset, bool swapped) {
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> stream(gzopen(file.c_str(), "rb"), &gzclose);
  const auto too_short = [&] { return damaged(file, "it is truncated: voxels are missing"); };
  if (!stream || gzseek(stream.get(), offset, SEEK_SET) < 0) throw too_short();
  const int64_t width = bytes_per_voxel(info.scalar);
  std::vector<char> stored(static_cast<size_t>(voxel_count(info) * width));
  constexpr size_t at_once = size_t{1} << 30;  // gzread counts in int
  for (size_t done = 0; done < stored.size();) {
    const int read = gzread(stream.get(), stored.data() + done,
                            static_cast<unsigned>(std::min(at_once, stored.size() - done)));
    if (read <= 0) throw too_short();
    done += static_cast<size_t>(read);
  }
  if (swapped && width > 1)
    nifti_swap_Nbytes(static_cast<size_t>(voxel_count(info)), static_cast<int>(width), stored.data());
  return stored;
}

// ---- writing ----

void set_orientation(nifti_1_header& header, const ImageInfo& info) {
  mat44 world{};
  world.m[3][3] = 1;
  for (size_t row = 0; row < 3; ++row) {
    for (size_t axis = 0; axis < 3; ++axis) {
      world.m[row][axis] =
          static_cast<float>(kRasToLps[row] * info.direction[3 * row + axis] * info.spacing_mm[axis]);
    }
    world.m[row][3] = static_cast<float>(kRasToLps[row] * info.origin_mm[row]);
  }
  header.qform_code = header.sform_code = NIFTI_XFORM_SCANNER_ANAT;
  std::copy_n(world.m[0], 4, header.srow_x);
  std::copy_n(world.m[1], 4, header.srow_y);
  std::copy_n(world.m[2], 4, header.srow_z);
  nifti_mat44_to_quatern(world, &header.quatern_b, &header.quatern_c, &header.quatern_d, &header.qoffset_x,
                         &header.qoffset_y, &header.qoffset_z, &header.pixdim[1], &header.pixdim[2],
                         &header.pixdim[3], &header.pixdim[0]);
}

template <size_t room>
void set_text(char (&field)[room], const std::string& text) {
  std::strncpy(field, text.c_str(), room - 1);
}

std::string header_entry(const ImageInfo& info, const char* key) {
  const auto found = info.header.find(key);
  return found == info.header.end() ? "" : found->second;
}

void set_texts(nifti_1_header& header, const ImageInfo& info, const Derivation& derivation) {
  const std::string old = header_entry(info, "descrip");
  const bool both = !old.empty() && !derivation.description.empty();
  set_text(header.descrip, derivation.description + (both ? "; " : "") + old);
  set_text(header.aux_file, header_entry(info, "aux_file"));
  set_text(header.intent_name, header_entry(info, "intent_name"));
}

nifti_1_header header_for(const ImageInfo& info, const Derivation& derivation) {
  nifti_1_header header{};
  header.sizeof_hdr = sizeof header;
  header.regular = 'r';
  header.dim[0] = 3;
  for (size_t axis = 0; axis < 3; ++axis) header.dim[axis + 1] = static_cast<int16_t>(info.shape[2 - axis]);
  std::fill(header.dim + 4, header.dim + 8, int16_t{1});
  for (const Type& type : kTypes) {
    if (type.scalar == info.scalar) header.datatype = static_cast<int16_t>(type.code);
  }
  header.bitpix = static_cast<int16_t>(8 * bytes_per_voxel(info.scalar));
  header.vox_offset = 352;  // 348 bytes of header, 4 that announce no extension
  header.scl_slope = static_cast<float>(info.slope);
  header.scl_inter = static_cast<float>(info.intercept);
  header.xyzt_units = info.spacing_known ? NIFTI_UNITS_MM : NIFTI_UNITS_UNKNOWN;
  set_orientation(header, info);
  set_texts(header, info, derivation);
  std::memcpy(header.magic, "n+1", 4);
  return header;
}

bool encode(const fs::path& pending, const nifti_1_header& header, const std::byte* stored, int64_t bytes) {
  const bool compressed = pending.extension() == ".gz";
  gzFile file = gzopen(pending.c_str(), compressed ? "wb" : "wbT");  // T: the bytes as they are
  constexpr int64_t at_once = int64_t{1} << 30;                      // gzwrite counts in int
  const char no_extension[4] = {};
  bool written = file != nullptr && gzwrite(file, &header, sizeof header) == sizeof header &&
                 gzwrite(file, no_extension, sizeof no_extension) == sizeof no_extension;
  for (int64_t done = 0; written && done < bytes; done += at_once) {
    const auto part = static_cast<unsigned>(std::min(at_once, bytes - done));
    written = gzwrite(file, stored + done, part) == static_cast<int>(part);
  }
  if (file != nullptr && gzclose(file) != Z_OK) written = false;
  return written;
}

}  // namespace

std::unique_ptr<ImageSource> open_nifti(const fs::path& file) {
  nifti_set_debug_level(0);
  int swapped = 0;
  const std::unique_ptr<nifti_1_header, decltype(&std::free)> raw(
      nifti_read_header(file.c_str(), &swapped, 0), &std::free);
  if (!raw) throw damaged(file, "it is no whole NIfTI-1 file");
  require_sound(file, *raw);
  const Header header(nifti_convert_nhdr2nim(*raw, file.c_str()), &nifti_image_free);
  if (!header) throw damaged(file, "its header is damaged");
  const ImageInfo info = describe(file, *header);
  require_plausible(file, info.shape, info.scalar, fs::file_size(file),
                    file.extension() == ".gz" ? kDeflate : kUncompressed);
  return loaded_source(file.string(), info, [=, offset = int64_t{header->iname_offset}] {
    return load(file, info, offset, swapped != 0);
  });
}

std::unique_ptr<ImageSink> create_nifti(const fs::path& file, const ImageInfo& info,
                                        const Derivation& derivation) {
  if (*std::max_element(info.shape.begin(), info.shape.end()) > kMostVoxelsAnAxis) {
    throw Error(
        fmt::format("{}: NIfTI-1 has at most {} voxels along an axis", file.string(), kMostVoxelsAnAxis),
        "write NRRD, TIFF or HDF5 instead");
  }
  return staged_sink(file, info, [=](const fs::path& pending, const std::byte* stored) {
    return encode(pending, header_for(info, derivation), stored,
                  voxel_count(info) * bytes_per_voxel(info.scalar));
  });
}

}  // namespace lucivox::formats
