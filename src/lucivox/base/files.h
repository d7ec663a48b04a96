#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lucivox {

// A file or folder that gets its final name only when it is whole. Work on path(), then commit(); without
// commit, whatever was written is removed. The pending path stands beside the final one ("out.tif" is
// written as ".out.PID.partial.tif", so that a writer that looks at the extension still sees it).
class PendingPath {
 public:
  explicit PendingPath(std::filesystem::path final_path);
  ~PendingPath();
  PendingPath(const PendingPath&) = delete;
  PendingPath& operator=(const PendingPath&) = delete;

  const std::filesystem::path& path() const { return pending_; }
  const std::filesystem::path& final_path() const { return final_; }
  // Flushes to the disk and renames; replaces what had the final name, but never a folder by a file. Throws
  // Error.
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

// Throws Error when `path` is not an existing file or folder; `what` names it: "model file".
void require_exists(const std::filesystem::path& path, std::string_view what);
void create_folder(const std::filesystem::path& path);

}  // namespace lucivox
