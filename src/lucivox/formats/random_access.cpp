#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/formats/random_access.h>

namespace lucivox::formats {

RandomAccessFile::RandomAccessFile(const std::filesystem::path& path)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (file_ < 0) throw Error("cannot read " + path.string(), "check its permissions");
}

RandomAccessFile::~RandomAccessFile() {
  ::close(file_);
}

bool RandomAccessFile::read(int64_t offset, std::vector<char>& bytes) const {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::pread(file_, bytes.data() + done, bytes.size() - done,
                                  static_cast<off_t>(offset + static_cast<int64_t>(done)));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

}  // namespace lucivox::formats
