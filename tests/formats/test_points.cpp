// Lists of cells and boxes, as spreadsheets and programs write them.
#include <gtest/gtest.h>
#include <tests/error_of.h>
#include <tests/temporary_folder.h>

#include <lucivox/base/files.h>
#include <lucivox/formats/points.h>

namespace lucivox {
namespace {

class Points : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& text) const {
    write_file(folder_ / "list.csv", text);
    return folder_ / "list.csv";
  }
  std::vector<std::array<double, 3>> points(const std::string& text) const {
    return read_points(file(text), {5, 2, 1});
  }
  TemporaryFolder folder_;
};

TEST_F(Points, AreReadInVoxelsOrMicrometres) {
  using All = std::vector<std::array<double, 3>>;
  EXPECT_EQ(points("z,y,x\n10,308,132\n11,110,304\n"), (All{{50, 616, 132}, {55, 220, 304}}));
  EXPECT_EQ(points("z_um,y_um,x_um\n1.5,2,-3e-1"), (All{{1.5, 2, -0.3}}));
  // columns in any order, with others between, blanks, quotes, and a line's end as Windows has it
  EXPECT_EQ(points("id, x ,\"y\",z\r\n7, 3 ,\"2\",1\r\n"), (All{{5, 4, 3}}));
  // of both, the voxels
  EXPECT_EQ(points("z,y,x,z_um,y_um,x_um\n1,1,1,9,9,9\n"), (All{{5, 2, 1}}));
  EXPECT_EQ(points("z,y,x\n"), All{});
}

TEST_F(Points, RefuseWhatIsNoList) {
  EXPECT_NE(error_of([&] { points("z,y,x\n1,2,3\n1,two,3\n"); }).find("line 3: y is 'two'"),
            std::string::npos);
  for (const char* text :
       {"", "a,b,c\n1,2,3\n", "z,y\n1,2\n", "z,y,x\n1,2\n", "z,y,x\n1,2,3,4\n", "z,y,x\n1,2,nan\n",
        "z,y,x\n1,2,1e999\n", "z,y,x\n1,2,\n", "z,y,x\n1,\"2,3\n", "z,z,y,x\n1,2,3,4\n"})
    error_of([&] { points(text); });
  error_of([&] { read_points(folder_ / "missing.csv", {1, 1, 1}); });
  error_of([&] { read_points(folder_.path(), {1, 1, 1}); });
}

TEST_F(Points, BoxesExcludeTheirEnds) {
  const std::vector<Region> boxes = read_boxes(file("z0,y0,x0,z1,y1,x1\n10,0,5,20,510,6\n"));
  ASSERT_EQ(boxes.size(), 1U);
  EXPECT_EQ(boxes[0].begin, (std::array<int64_t, 3>{10, 0, 5}));
  EXPECT_EQ(boxes[0].size, (std::array<int64_t, 3>{10, 510, 1}));
  for (const char* text : {"z0,y0,x0,z1,y1,x1\n1,0,0,1,5,5\n", "z0,y0,x0,z1,y1,x1\n-1,0,0,1,5,5\n",
                           "z0,y0,x0,z1,y1,x1\n0.5,0,0,1,5,5\n", "z0,y0,x0,z1,y1\n0,0,0,1,5\n",
                           "z0,y0,x0,z1,y1,x1\n0,0,0,99999999999,5,5\n"})
    error_of([&] { read_boxes(file(text)); });
}

}  // namespace
}  // namespace lucivox
