#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/text.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

std::string hint_for(int code) {
  switch (code) {
    case ENOSPC:
      return "the disk is full: free some space or choose another folder";
    case EACCES:
    case EROFS:
      return "no permission to write there: choose another folder";
    case ENOENT:
      return "the folder does not exist: create it first";
    default:
      return "check that the folder exists, is writable and has space left";
  }
}

Error cannot_write(const fs::path& path, int code) {
  return Error(fmt::format("cannot write {}: {}", path.string(), std::strerror(code)), hint_for(code));
}

void write_all(const fs::path& path, std::string_view bytes, int flags) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
  if (file < 0) throw cannot_write(path, errno);
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int code = errno;
      ::close(file);
      throw cannot_write(path, code);
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  if (::close(file) != 0) throw cannot_write(path, errno);
}

void flush_to_disk(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw cannot_write(path, errno);
  const int failed = ::fsync(file) != 0 ? errno : 0;
  ::close(file);
  if (failed != 0 && failed != EINVAL) throw cannot_write(path, failed);
}

}  // namespace

PendingPath::PendingPath(fs::path final_path) : final_(std::move(final_path)) {
  if (!final_.has_filename()) final_ = final_.parent_path();  // "series/" names the folder "series"
  const fs::path folder = final_.has_parent_path() ? final_.parent_path() : fs::path(".");
  if (!fs::is_directory(folder)) {
    throw Error(
        fmt::format("cannot write {}: the folder {} does not exist", final_.string(), folder.string()),
        "create the folder first");
  }
  // "scan.nii.gz" keeps its whole ".nii.gz"
  const std::string name = final_.filename().string();
  const size_t dot = name.find('.', 1);
  const std::string stem = name.substr(0, dot);
  const std::string extension = dot == std::string::npos ? "" : name.substr(dot);
  pending_ = folder / fmt::format(".{}.{}.partial{}", stem, ::getpid(), extension);
}

PendingPath::~PendingPath() {
  if (committed_) return;
  std::error_code ignored;
  fs::remove_all(pending_, ignored);
}

void PendingPath::commit() {
  flush_to_disk(pending_);
  std::error_code code;
  if (fs::is_directory(final_)) {
    if (!fs::is_directory(pending_))
      throw Error(final_.string() + " is a folder", "choose another name for the file");
    fs::remove_all(final_, code);
  }
  fs::rename(pending_, final_, code);
  if (code) throw cannot_write(final_, code.value());
  committed_ = true;
}

void write_file(const fs::path& path, std::string_view bytes) {
  PendingPath pending(path);
  write_all(pending.path(), bytes, O_TRUNC);
  pending.commit();
}

void append_file(const fs::path& path, std::string_view bytes) {
  write_all(path, bytes, O_APPEND);
}

std::string read_file(const fs::path& path, uint64_t limit) {
  require_exists(path, "file");
  if (fs::is_directory(path)) throw Error(path.string() + " is a folder, a file was expected");
  const uint64_t size = fs::file_size(path);
  if (size > limit) {
    throw Error(fmt::format("{} has {}, more than the {} allowed here", path.string(),
                            human_bytes(static_cast<double>(size)), human_bytes(static_cast<double>(limit))));
  }
  std::string bytes(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size))) {
    throw Error("cannot read " + path.string(), "check its permissions");
  }
  return bytes;
}

void require_exists(const fs::path& path, std::string_view what) {
  if (!fs::exists(path)) {
    throw Error(fmt::format("{} {} does not exist", what, path.string()), "check the path for a misspelling");
  }
}

void create_folder(const fs::path& path) {
  std::error_code code;
  fs::create_directories(path, code);
  if (code) throw cannot_write(path, code.value());
}

}  // namespace lucivox
