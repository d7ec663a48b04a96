#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <lucivox/image/formats/pixels.h>
#include <lucivox/image/image.h>

// What ITK leaves to be done for NIfTI and MetaImage: in both it takes voxels that a truncated file lacks for zeros.
namespace lucivox::formats {

struct NiftiStorage {
  Scalar scalar = Scalar::Float32;
  Calibration calibration;
  uint64_t offset = 0;  // of the first voxel, in the uncompressed file
  bool swapped = false;
  std::map<std::string, std::string> texts;  // descrip, aux_file, intent_name
};

// Throws Error when the file is no NIfTI-1 or its type is not supported.
NiftiStorage nifti_storage(const std::filesystem::path& file);
// `count` voxels as scalars in this machine's byte order, from .nii or .nii.gz. Throws Error when there are fewer.
std::vector<char> load_nifti(const std::filesystem::path& file, const NiftiStorage& storage, int64_t count);

// The file that holds the voxels of an .nrrd, .nhdr, .mha, .mhd: the file itself, or the one that its header names.
std::filesystem::path data_file_of(const std::filesystem::path& file);
// Throws Error when a MetaImage has fewer bytes behind its header than `voxel_bytes`, or than it says itself.
void require_whole_meta_image(const std::filesystem::path& file, uint64_t voxel_bytes);

}  // namespace lucivox::formats
