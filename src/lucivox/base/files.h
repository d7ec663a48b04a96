#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lucivox {

// A file or folder that gets its final name only when it is whole. Work on path(), then commit(); without
// commit, whatever was written is removed. The pending path stands beside the final one ("out.tif" is
// written as ".out.PID.partial.tif", so that a writer that looks at the extension still sees it); of an
// existing folder, inside it.
class PendingPath {
 public:
  explicit PendingPath(std::filesystem::path final_path);
  ~PendingPath();
  PendingPath(const PendingPath&) = delete;
  PendingPath& operator=(const PendingPath&) = delete;

  const std::filesystem::path& path() const { return pending_; }
  const std::filesystem::path& final_path() const { return final_; }
  // Flushes to the disk and renames; replaces what had the final name, but never a folder by a file. Of an
  // existing folder the contents are replaced. Throws Error.
  void commit();

 private:
  std::filesystem::path final_, pending_;
  bool committed_ = false;
};

// Writes the whole file or leaves the old one; throws Error (disk full, no permission, no such folder).
void write_file(const std::filesystem::path& path, std::string_view bytes);
void append_file(const std::filesystem::path& path, std::string_view bytes);
// Throws Error when the file is missing, unreadable or larger than `limit` bytes.
std::string read_file(const std::filesystem::path& path, uint64_t limit = uint64_t{1} << 32);

// What becomes of an output folder that is not empty. (An existing file is always replaced, once the new one
// is complete.)
enum class Existing { Refuse, Replace };

// Where a command writes.
struct Output {
  std::filesystem::path path;
  Existing existing = Existing::Refuse;
};

// Calls `fill` with an empty folder for the contents of the output. What `fill` has written when it throws
// stays in a new folder; an old one that is to be replaced keeps its contents until all new ones are there.
// Throws Error as require_vacant() does.
void write_folder(const Output& output, const std::function<void(const std::filesystem::path&)>& fill);

// Throws Error (misuse) when a folder is to be written to a place that has a file, or a folder that is not
// empty and may not be replaced.
void require_vacant(const Output& output);

// Throws Error (misuse) when writing `output` could change one of `inputs`, the files and folders that are
// read for it: when it is one of them, is inside one of them, or is a folder with one of them inside. Links
// are followed, also those in an input folder; "scan.h5:/images" is the file scan.h5. Inputs that do
// not exist are passed over.
void require_apart(const std::filesystem::path& output, const std::vector<std::filesystem::path>& inputs);
// The same for a folder that things are added to: inputs may be inside it.
void require_outside(const std::filesystem::path& output, const std::vector<std::filesystem::path>& inputs,
                     const std::string& hint);

// Throws Error when `path` is not an existing file or folder; `what` names it: "model file".
void require_exists(const std::filesystem::path& path, std::string_view what);
void create_folder(const std::filesystem::path& path);

}  // namespace lucivox
