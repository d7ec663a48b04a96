#include <cstring>
#include <system_error>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/program/slab_store.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

Json read_task(const fs::path& path) {
  const Json task = Json::parse(read_file(path), nullptr, false);
  if (!task.is_object()) throw Error(path.string() + " is damaged", "start anew, without --resume");
  return task;
}

// The first key in which two tasks differ.
std::string difference(const Json& a, const Json& b) {
  for (const auto& [key, value] : a.items()) {
    if (!b.contains(key) || b.at(key) != value) return key;
  }
  return "lucivox";
}

}  // namespace

SlabStore::SlabStore(const fs::path& out, const Json& task, bool resume)
    : folder_(out.parent_path() / fmt::format(".{}.slabs", out.filename().string())) {
  const fs::path description = folder_ / "task.json";
  if (resume && fs::exists(description)) {
    const Json before = read_task(description);
    if (before == task) return;
    throw Error(fmt::format("{} was begun with another '{}'", out.string(), difference(task, before)),
                "give the options of the run that is to be resumed, or start anew without --resume");
  }
  remove();
  create_folder(folder_);
  write_file(description, task.dump(2));
}

bool SlabStore::has(int64_t first_row) const {
  return fs::exists(file(first_row));
}

void SlabStore::write(int64_t first_row, const at::Tensor& slab) const {
  const at::Tensor values = slab.contiguous();
  write_file(file(first_row), {static_cast<const char*>(values.const_data_ptr()), values.nbytes()});
}

at::Tensor SlabStore::read(int64_t first_row, at::IntArrayRef shape) const {
  at::Tensor slab = at::empty(shape, at::kFloat);
  const std::string bytes = read_file(file(first_row));
  if (bytes.size() != slab.nbytes())
    throw Error(file(first_row).string() + " is not whole", "start anew, without --resume");
  std::memcpy(slab.mutable_data_ptr(), bytes.data(), bytes.size());
  return slab;
}

void SlabStore::remove() const {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

fs::path SlabStore::file(int64_t first_row) const {
  return folder_ / fmt::format("rows-{:06}.f32", first_row);
}

}  // namespace lucivox
