#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
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

// What cannot be looked at is none.
bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::error_code failure;
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(folder, failure)) entries.push_back(entry.path());
  if (failure)
    throw Error(fmt::format("cannot read the folder {}: {}", folder.string(), failure.message()),
                "check its permissions");
  return entries;
}

// Moves entries from one folder into another: all of them, or, when one cannot be moved, none.
void move_entries(const std::vector<fs::path>& entries, const fs::path& to) {
  std::vector<fs::path> moved;
  try {
    for (const fs::path& entry : entries) {
      fs::rename(entry, to / entry.filename());
      moved.push_back(entry);
    }
  } catch (const fs::filesystem_error&) {
    for (const fs::path& entry : moved) fs::rename(to / entry.filename(), entry);
    throw;
  }
}

// The folder itself stays: it may be a mount point, somebody's working directory, or have an owner of its
// own. Nothing is deleted before everything new is in its place.
void replace_contents(const fs::path& folder, const fs::path& pending) {
  const fs::path replaced = folder / (pending.filename().string() + ".replaced");
  std::vector<fs::path> old = entries_of(folder);
  std::erase(old, pending);
  fs::create_directory(replaced);
  try {
    move_entries(old, replaced);
    move_entries(entries_of(pending), folder);
  } catch (const fs::filesystem_error&) {
    move_entries(entries_of(replaced), folder);
    fs::remove(replaced);
    throw;
  }
  fs::remove(pending);
  std::error_code failure;
  fs::remove_all(replaced, failure);
  if (failure)
    throw Error(fmt::format("{} is complete, but what was there before cannot be deleted: {}",
                            folder.string(), failure.message()),
                fmt::format("delete {}", replaced.string()));
}

// ---- what is written and what is read ----

// "scan.h5:/exchange/data" -> "scan.h5"
fs::path without_data_set(const fs::path& path) {
  const std::string text = path.string();
  const size_t colon = text.rfind(":/");
  if (colon == std::string::npos) return path;
  std::error_code ignored;
  const fs::path file = text.substr(0, colon);
  return fs::is_regular_file(file, ignored) ? file : path;
}

// Device and inode: the same for all names of a file.
using Identity = std::pair<dev_t, ino_t>;

std::optional<Identity> identity_of(const fs::path& path) {
  struct stat about {};
  if (::stat(without_data_set(path).c_str(), &about) != 0) return std::nullopt;
  return Identity{about.st_dev, about.st_ino};
}

// The path and the folders above it, as far as they exist.
std::vector<Identity> lineage_of(const fs::path& path) {
  std::error_code ignored;
  const fs::path target = fs::weakly_canonical(fs::absolute(without_data_set(path)), ignored);
  std::vector<fs::path> ways{target};
  // a link is also in the folder that holds the link
  if (fs::is_symlink(path, ignored))
    ways.push_back(fs::weakly_canonical(fs::absolute(path).parent_path(), ignored) / path.filename());
  std::vector<Identity> lineage;
  for (fs::path at : ways) {
    for (;; at = at.parent_path()) {
      if (const auto identity = identity_of(at)) lineage.push_back(*identity);
      if (at == at.parent_path()) break;
    }
  }
  return lineage;
}

// Whether `path` is `place`, or is inside it.
bool is_within(const fs::path& path, const fs::path& place) {
  const auto identity = identity_of(place);
  const std::vector<Identity> lineage = lineage_of(path);
  return identity && std::find(lineage.begin(), lineage.end(), *identity) != lineage.end();
}

// Adds an input that exists, and what links in it lead to, however deep; not upwards, where everything is.
void add_with_linked(const fs::path& input, std::vector<fs::path>& all, std::set<Identity>& seen) {
  const auto identity = identity_of(input);
  if (!identity || !seen.insert(*identity).second) return;
  all.push_back(input);
  if (!is_folder(input)) return;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(input, ignored)) {  // what cannot be read is no input
    const bool link = entry.is_symlink(ignored);
    if (link ? !is_within(input, entry.path()) : entry.is_directory(ignored))
      add_with_linked(entry.path(), all, seen);
  }
}

std::vector<fs::path> with_linked(const std::vector<fs::path>& inputs) {
  std::vector<fs::path> all;
  std::set<Identity> seen;
  for (const fs::path& input : inputs) add_with_linked(input, all, seen);
  return all;
}

Error would_change(const fs::path& output, const char* how, const fs::path& input, const std::string& hint) {
  return Error::misuse(
      fmt::format("cannot write {}: it {} the input {}", output.string(), how, input.string()), hint);
}

}  // namespace

PendingPath::PendingPath(fs::path final_path) : final_(std::move(final_path)) {
  if (!final_.has_filename()) final_ = final_.parent_path();  // "series/" names the folder "series"
  const fs::path parent = final_.has_parent_path() ? final_.parent_path() : fs::path(".");
  const fs::path folder = is_folder(final_) ? final_ : parent;
  if (!is_folder(folder)) {
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
  const bool folder = is_folder(final_);
  if (folder && !is_folder(pending_))
    throw Error(final_.string() + " is a folder", "choose another name for the file");
  try {
    folder ? replace_contents(final_, pending_) : fs::rename(pending_, final_);
  } catch (const fs::filesystem_error& failure) {
    throw cannot_write(final_, failure.code().value());
  }
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

void require_vacant(const Output& output) {
  std::error_code failure;
  const fs::file_status status = fs::status(output.path, failure);
  if (status.type() == fs::file_type::none) throw cannot_write(output.path, failure.value());
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status))
    throw Error::misuse(output.path.string() + " is a file, and a folder would be written",
                        "choose another OUT");
  if (output.existing == Existing::Replace || entries_of(output.path).empty()) return;
  throw Error::misuse(fmt::format("the folder {} is not empty", output.path.string()),
                      "choose another OUT, or give --overwrite to replace everything in it");
}

void write_folder(const Output& output, const std::function<void(const fs::path&)>& fill) {
  require_vacant(output);
  create_folder(output.path);
  if (entries_of(output.path).empty()) return fill(output.path);
  PendingPath pending(output.path);
  create_folder(pending.path());
  fill(pending.path());
  pending.commit();
}

void require_outside(const fs::path& output, const std::vector<fs::path>& inputs, const std::string& hint) {
  for (const fs::path& input : with_linked(inputs)) {
    if (!is_within(output, input)) continue;
    const bool same = identity_of(output) == identity_of(input);
    throw would_change(output, same ? "is" : "is inside", input, hint);
  }
}

void require_apart(const fs::path& output, const std::vector<fs::path>& inputs) {
  const char* hint = "choose another OUT";
  require_outside(output, inputs, hint);
  for (const fs::path& input : with_linked(inputs)) {
    if (is_within(input, output)) throw would_change(output, "contains", input, hint);
  }
}

}  // namespace lucivox
