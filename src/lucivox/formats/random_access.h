#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace lucivox::formats {

// A file that is read at any place, from any thread.
class RandomAccessFile {
 public:
  // Throws Error when it cannot be read.
  explicit RandomAccessFile(const std::filesystem::path& path);
  ~RandomAccessFile();
  RandomAccessFile(const RandomAccessFile&) = delete;
  RandomAccessFile& operator=(const RandomAccessFile&) = delete;

  // Fills `bytes` from `offset` on; false when the file ends before.
  bool read(int64_t offset, std::vector<char>& bytes) const;

 private:
  int file_;
};

}  // namespace lucivox::formats
