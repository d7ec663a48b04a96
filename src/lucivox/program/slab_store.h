#pragma once

#include <cstdint>
#include <filesystem>

#include <ATen/core/Tensor.h>

#include <lucivox/base/config.h>
#include <lucivox/image/image.h>

namespace lucivox {

// The finished slabs of a long task, in a hidden folder beside its result, so that a run that was ended can
// be resumed: .NAME.slabs/ with task.json, which says what the slabs are slabs of, and a file for each,
// written whole or not at all.
class SlabStore {
 public:
  // `task` says all that the values depend on. A fresh start forgets slabs that are there; resuming keeps
  // them. Throws Error when there is something to resume that belongs to another task, naming what differs.
  SlabStore(const std::filesystem::path& out, const Json& task, bool resume);

  bool has(int64_t first_row) const;
  // float32 [rows, Y, X]. Throws Error (disk full).
  void write(int64_t first_row, const at::Tensor& slab) const;
  // Throws Error when the file is not whole.
  at::Tensor read(int64_t first_row, at::IntArrayRef shape) const;
  // Removes the folder.
  void remove() const;

 private:
  std::filesystem::path file(int64_t first_row) const;
  std::filesystem::path folder_;
};

}  // namespace lucivox
