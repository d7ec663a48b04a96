#include <lucivox/image/formats/voxel_data.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nifti1_io.h>
#include <zlib.h>

#include <lucivox/image/formats/checks.h>

namespace fs = std::filesystem;

namespace lucivox::formats {
namespace {

Error too_short(const fs::path& file) { return damaged(file, "it is truncated: voxels are missing"); }

std::optional<Scalar> scalar_of(int nifti_type) {
  switch (nifti_type) {
    case NIFTI_TYPE_UINT8: return Scalar::UInt8;
    case NIFTI_TYPE_INT8: return Scalar::Int8;
    case NIFTI_TYPE_UINT16: return Scalar::UInt16;
    case NIFTI_TYPE_INT16: return Scalar::Int16;
    case NIFTI_TYPE_UINT32: return Scalar::UInt32;
    case NIFTI_TYPE_INT32: return Scalar::Int32;
    case NIFTI_TYPE_FLOAT32: return Scalar::Float32;
    case NIFTI_TYPE_FLOAT64: return Scalar::Float64;
    default: return std::nullopt;
  }
}

// The text lines "key = value" or "key: value" in front of the voxels, and where these begin when they follow at once.
struct TextHeader {
  std::map<std::string, std::string> entries;
  uint64_t end = 0;
};

TextHeader read_text_header(const fs::path& file) {
  TextHeader header;
  std::ifstream stream(file, std::ios::binary);
  for (std::string line; std::getline(stream, line) && !clean_text(line).empty();) {
    const size_t sign = line.find_first_of(":=");
    if (sign == std::string::npos) continue;
    const std::string key = clean_text(line.substr(0, sign));
    const size_t value = line.find_first_not_of(" :=", sign);
    header.entries[key] = value == std::string::npos ? "" : clean_text(line.substr(value));
    if (key == "ElementDataFile") break;  // the last line of a MetaImage header
  }
  header.end = stream.good() ? static_cast<uint64_t>(stream.tellg()) : fs::file_size(file);
  return header;
}

std::string entry(const TextHeader& header, const std::string& key) {
  const auto found = header.entries.find(key);
  return found == header.entries.end() ? "" : found->second;
}

fs::path named_data_file(const fs::path& file, const TextHeader& header) {
  std::string name = entry(header, "ElementDataFile");
  for (const char* key : {"data file", "datafile"}) name += entry(header, key);
  if (name.empty() || name == "LOCAL") return file;
  fs::path data = file.parent_path() / name;
  if (!fs::is_regular_file(data)) throw damaged(file, fmt::format("its data file {} is missing", data.string()));
  return data;
}

}  // namespace

NiftiStorage nifti_storage(const fs::path& file) {
  const std::unique_ptr<nifti_image, decltype(&nifti_image_free)> header(nifti_image_read(file.c_str(), 0),
                                                                         &nifti_image_free);
  if (!header) throw damaged(file, "it is no NIfTI-1 file");
  NiftiStorage storage;
  const std::optional<Scalar> scalar = scalar_of(header->datatype);
  if (!scalar) {
    throw Error(fmt::format("{} has voxels of type {}, which is not supported", file.string(),
                            nifti_datatype_string(header->datatype)),
                "convert it to an integer of at most 32 bits or to floating point");
  }
  storage.scalar = *scalar;
  const auto slope = static_cast<double>(header->scl_slope), intercept = static_cast<double>(header->scl_inter);
  if (slope != 0 && std::isfinite(slope) && std::isfinite(intercept)) storage.calibration = {slope, intercept};
  storage.offset = static_cast<uint64_t>(std::max<int64_t>(header->iname_offset, 0));
  storage.swapped = header->byteorder != nifti_short_order();
  const auto keep = [&](const char* key, const char* text, size_t room) {
    if (std::string kept = clean_text(std::string_view(text, room)); !kept.empty()) storage.texts[key] = std::move(kept);
  };
  keep("descrip", header->descrip, sizeof header->descrip);
  keep("aux_file", header->aux_file, sizeof header->aux_file);
  keep("intent_name", header->intent_name, sizeof header->intent_name);
  return storage;
}

std::vector<char> load_nifti(const fs::path& file, const NiftiStorage& storage, int64_t count) {
  const std::unique_ptr<gzFile_s, decltype(&gzclose)> stream(gzopen(file.c_str(), "rb"), &gzclose);
  if (!stream || gzseek(stream.get(), static_cast<z_off_t>(storage.offset), SEEK_SET) < 0) throw too_short(file);
  const int64_t width = bytes_per_voxel(storage.scalar);
  std::vector<char> stored(static_cast<size_t>(count * width));
  constexpr size_t at_once = size_t{1} << 30;  // gzread counts in int
  for (size_t done = 0; done < stored.size();) {
    const auto wanted = static_cast<unsigned>(std::min(at_once, stored.size() - done));
    const int read = gzread(stream.get(), stored.data() + done, wanted);
    if (read <= 0) throw too_short(file);
    done += static_cast<size_t>(read);
  }
  if (storage.swapped && width > 1) nifti_swap_Nbytes(static_cast<size_t>(count), static_cast<int>(width), stored.data());
  return stored;
}

fs::path data_file_of(const fs::path& file) { return named_data_file(file, read_text_header(file)); }

void require_whole_meta_image(const fs::path& file, uint64_t voxel_bytes) {
  const TextHeader header = read_text_header(file);
  const fs::path data = named_data_file(file, header);
  const uint64_t begin = data == file ? header.end : 0;
  const bool compressed = entry(header, "CompressedData") == "True";
  const uint64_t needed = compressed ? std::strtoull(entry(header, "CompressedDataSize").c_str(), nullptr, 10) : voxel_bytes;
  if (fs::file_size(data) < begin + needed) throw too_short(file);
}

}  // namespace lucivox::formats
