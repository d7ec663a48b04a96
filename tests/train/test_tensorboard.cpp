#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/train/tensorboard.h>

namespace lucivox {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("lucivox_tensorboard_" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    fs::create_directory(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string hex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    text += kDigits[static_cast<uint8_t>(byte) >> 4];
    text += kDigits[byte & 0xF];
  }
  return text;
}

uint64_t little_endian_64(const std::string& bytes) {
  uint64_t value = 0;
  for (size_t i = 8; i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes.at(i));
  return value;
}

TEST(TensorBoard, ChecksumMatchesThePublishedVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);              // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);    // RFC 3720, B.4: 32 bytes of zeros
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);  // RFC 3720, B.4: 32 bytes of ones
  EXPECT_EQ(crc32c(""), 0u);
}

// The bytes that tensorboard 2.21 writes for
//   Event(wall_time=1700000000.25, file_version="brain.Event:2") and
//   Event(wall_time=1700000000.25, step=300, summary=Summary(value=[Value(tag="train/loss",
//   simple_value=0.125)]))
// through tensorboard.summary.writer.record_writer.RecordWriter.
TEST(TensorBoard, RecordsAreThoseThatTensorBoardWrites) {
  EXPECT_EQ(hex(tf_record(version_event(1700000000.25))),
            "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9");
  EXPECT_EQ(
      hex(tf_record(scalar_event(1700000000.25, 300, "train/loss", 0.125f))),
      "2100000000000000017becf60900001040fc54d94110ac022a130a110a0a747261696e2f6c6f7373150000003e3b6f9b6d");
}

TEST(TensorBoard, EveryPointIsOnDiskAsSoonAsItIsWritten) {
  const Folder folder;
  EventWriter writer(folder.path() / "events");
  writer.scalar("loss", 1, 0.5);
  writer.scalar("loss", 2, 0.25);

  // walk over the records by their lengths: 8 (length) + 4 (CRC) + payload + 4 (CRC)
  const std::string bytes = read_file(writer.path());
  size_t records = 0, at = 0;
  for (; at < bytes.size(); ++records) at += 16 + little_endian_64(bytes.substr(at, 8));
  EXPECT_EQ(at, bytes.size());
  EXPECT_EQ(records, 3u);  // the version and two points
}

TEST(TensorBoard, FileNameIsOneThatTensorBoardLooksFor) {
  const Folder folder;
  const EventWriter writer(folder.path());
  const std::string name = writer.path().filename().string();
  EXPECT_EQ(name.rfind("events.out.tfevents.", 0), 0u) << name;
  EXPECT_EQ(writer.path().extension(), ".lucivox");
  EXPECT_TRUE(fs::exists(writer.path()));
}

TEST(TensorBoard, FolderThatIsAFileIsAnError) {
  const Folder folder;
  write_file(folder.path() / "file", "");
  EXPECT_THROW(EventWriter(folder.path() / "file"), Error);
}

TEST(TensorBoard, FullDiskIsAnError) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const Folder folder;
  EventWriter writer(folder.path());
  fs::remove(writer.path());
  fs::create_symlink("/dev/full", writer.path());
  EXPECT_THROW(writer.scalar("loss", 1, 0.5), Error);
}

}  // namespace
}  // namespace lucivox
