#include <charconv>
#include <cmath>
#include <exception>
#include <string>

// One line after the other is read here; a thread that reads ahead gains nothing.
#define CSV_IO_NO_THREAD
#include <fmt/format.h>
#include <libfccp/csv.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/points.h>

namespace lucivox {
namespace {

constexpr unsigned kColumns = 6;
using Reader = io::CSVReader<kColumns, io::trim_chars<' ', '\t', '\r'>, io::double_quote_escape<',', '"'>>;
using Row = std::array<std::string, kColumns>;

template <typename Number>
Number number_in(const std::string& text, const std::filesystem::path& path, unsigned line,
                 const char* column) {
  Number number{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  bool sound = failure == std::errc() && end == text.data() + text.size();
  if constexpr (std::is_floating_point_v<Number>) sound = sound && std::isfinite(number);
  if (sound) return number;
  throw Error(fmt::format("{}, line {}: {} is '{}', not a number", path.string(), line, column, text),
              "every line has the columns that the first one names");
}

// Calls body(row, line) for every line behind the header, whose columns `found(reader)` has looked at.
template <typename Found, typename Body>
void read_rows(const std::filesystem::path& path, const std::array<const char*, kColumns>& names,
               const Found& found, const Body& body) {
  require_exists(path, "list");
  if (std::filesystem::is_directory(path)) throw Error(path.string() + " is a folder", "give a CSV file");
  try {
    Reader reader(path.string());
    reader.read_header(io::ignore_extra_column | io::ignore_missing_column, names[0], names[1], names[2],
                       names[3], names[4], names[5]);
    found(reader);
    Row row;
    while (reader.read_row(row[0], row[1], row[2], row[3], row[4], row[5])) body(row, reader.get_file_line());
  } catch (const io::error::base& error) {
    throw Error(fmt::format("{} is no list that can be read: {}", path.string(), error.what()),
                "a CSV file has a first line that names its columns, and commas between them");
  }
}

bool has_columns(const Reader& reader, const std::array<const char*, kColumns>& names, size_t begin,
                 size_t end) {
  for (size_t i = begin; i < end; ++i) {
    if (!reader.has_column(names[i])) return false;
  }
  return true;
}

}  // namespace

std::vector<std::array<double, 3>> read_points(const std::filesystem::path& path,
                                               const std::array<double, 3>& spacing_um) {
  const std::array<const char*, kColumns> names{"z", "y", "x", "z_um", "y_um", "x_um"};
  size_t first = 0;  // of the columns that count
  std::vector<std::array<double, 3>> points;
  read_rows(
      path, names,
      [&](const Reader& reader) {
        if (has_columns(reader, names, 0, 3)) return;
        first = 3;
        if (!has_columns(reader, names, 3, 6))
          throw Error(path.string() + " has no columns z, y, x or z_um, y_um, x_um",
                      "its first line must name them: z,y,x for voxels, z_um,y_um,x_um for micrometres");
      },
      [&](const Row& row, unsigned line) {
        std::array<double, 3> point{};
        for (size_t axis = 0; axis < 3; ++axis) {
          point[axis] = number_in<double>(row[first + axis], path, line, names[first + axis]);
          if (first == 0) point[axis] *= spacing_um[axis];
        }
        points.push_back(point);
      });
  return points;
}

std::vector<Region> read_boxes(const std::filesystem::path& path) {
  const std::array<const char*, kColumns> names{"z0", "y0", "x0", "z1", "y1", "x1"};
  std::vector<Region> boxes;
  read_rows(
      path, names,
      [&](const Reader& reader) {
        if (!has_columns(reader, names, 0, kColumns))
          throw Error(path.string() + " has no columns z0, y0, x0, z1, y1, x1",
                      "its first line must name them; boxes are given in voxels, their ends excluded");
      },
      [&](const Row& row, unsigned line) {
        Region box;
        for (size_t axis = 0; axis < 3; ++axis) {
          const auto begin = number_in<int32_t>(row[axis], path, line, names[axis]),
                     end = number_in<int32_t>(row[3 + axis], path, line, names[3 + axis]);
          if (begin < 0 || end <= begin)
            throw Error(fmt::format("{}, line {}: the box from {} to {} along {} holds nothing",
                                    path.string(), line, begin, end, "zyx"[axis]),
                        "the end is excluded: 0,10 are ten voxels");
          box.begin[axis] = begin;
          box.size[axis] = end - begin;
        }
        boxes.push_back(box);
      });
  return boxes;
}

}  // namespace lucivox
