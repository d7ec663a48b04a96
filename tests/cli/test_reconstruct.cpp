// `lucivox reconstruct` from files to files.
#include <csignal>

#include <gtest/gtest.h>
#include <tests/cli/command.h>
#include <tests/cli/images.h>
#include <tests/temporary_folder.h>
#include <tests/tensors.h>
#include <tests/tomo/phantoms.h>
#include <torch/types.h>

#include <lucivox/base/config.h>
#include <lucivox/base/files.h>
#include <lucivox/formats/projections.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

constexpr double kPixel = 0.01;  // mm
constexpr int64_t kRows = 40, kColumns = 96, kViews = 120;

class Reconstruct : public ::testing::Test {
 protected:
  // A rod of 2 /mm whose radius grows from row to row, aside of an axis that is not in the middle, as counts
  // between flat and dark fields.
  static Scan rod(double centre = 51.5) {
    ScanGeometry geometry{half_turn(kViews), kColumns, kPixel, kColumns, kColumns, kPixel, centre};
    std::vector<at::Tensor> rows;
    for (int64_t row = 0; row < kRows; ++row)
      rows.push_back(ellipse_sinogram(geometry, {{0.05, -0.06, radius(row), radius(row), 0, 2}}));
    const at::Tensor integrals = at::cat(rows).transpose(0, 1).contiguous();  // [V, Z, U]
    torch::manual_seed(1);
    const at::Tensor dark = 100 + 20 * torch::rand({1, kRows, kColumns}),
                     beam = 3e4 + 1e4 * torch::rand({1, kRows, kColumns});
    return {
        (dark + beam * at::exp(-integrals)).to(at::kFloat), dark + beam, dark, {geometry.angles_rad, kPixel}};
  }
  static double radius(int64_t row) { return 0.1 + 0.003 * static_cast<double>(row); }

  fs::path write(const Scan& scan) const {
    write_dxchange(folder_ / "scan.h5", scan);
    return folder_ / "scan.h5";
  }
  std::string in() const { return (folder_ / "scan.h5").string(); }
  std::string out(const std::string& name) const { return (folder_ / name).string(); }

  Outcome run(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"reconstruct", in(), out(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_command(arguments);
  }
  at::Tensor slices(const std::string& name, const std::vector<std::string>& more = {}) const {
    const Outcome outcome = run(name, more);
    EXPECT_EQ(outcome.code, 0) << outcome.error;
    return outcome.code == 0 ? read_image(out(name)) : torch::zeros({kRows, kColumns, kColumns});
  }

  void expect_fails(const std::vector<std::string>& more, const std::string& says, int code) const {
    const Outcome outcome = run("bad.tif", more);
    EXPECT_TRUE(is_clear_error(outcome)) << outcome.code << " " << outcome.error;
    EXPECT_EQ(outcome.code, code) << outcome.error;
    EXPECT_NE(outcome.error.find(says), std::string::npos) << outcome.error;
    EXPECT_FALSE(fs::exists(out("bad.tif")));
  }
  // The same for a scan that is changed first.
  template <typename Change>
  void expect_fails_with(const Change& change, const std::string& says) const {
    Scan scan = rod();
    change(scan);
    write(scan);
    expect_fails({"--centre", "51.5"}, says, 1);
  }

  TemporaryFolder folder_;
};

// FBP of exact chords is right to about half a percent (test_fbp.cpp); the axis is found, not told.
TEST_F(Reconstruct, GivesTheRodItsAttenuation) {
  write(rod());
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{}, {"--method", "sirt", "--iterations", "150", "--minimum", "0"}}) {
    const at::Tensor image = slices("rod.nii", options);
    for (const int64_t row : {0L, 39L}) {
      // the rod's middle, from the image's: 0.05 mm and -0.06 mm
      const at::Tensor middle = image[row].slice(0, 40, 44).slice(1, 51, 55);
      EXPECT_NEAR(middle.mean().item<double>(), 2, 0.02);
      // the rod with some air around it
      const at::Tensor box = image[row].slice(0, 12, 72).slice(1, 23, 83);
      const double area = box.sum().item<double>() * kPixel * kPixel;
      EXPECT_NEAR(area, 2 * M_PI * radius(row) * radius(row), 0.02 * area);
    }
  }
  const auto written = open(out("rod.nii"));
  EXPECT_EQ(written->info().shape, (std::array<int64_t, 3>{kRows, kColumns, kColumns}));
  EXPECT_NEAR(written->info().spacing_mm[2], kPixel, 1e-7);
}

// A scan without a pixel size gives slices without one, in values without a unit.
TEST_F(Reconstruct, ClaimsNoPixelSizeThatIsNotKnown) {
  Scan scan = rod();
  scan.setup.pixel_mm.reset();
  write(scan);
  for (const char* name : {"slice.tif", "slice.h5", "slice.nii", "slice.nrrd", "slice.mha"}) {
    slices(name, {"--centre", "51.5", "--rows", "0:1"});
    const Outcome outcome = run_command({"info", out(name), "--json"});
    ASSERT_EQ(outcome.code, 0) << outcome.error;
    const Json json = Json::parse(outcome.out);
    EXPECT_TRUE(json.at("spacing_xyz_mm").is_null()) << name;
    EXPECT_EQ(json.at("units"), "unknown") << name;
  }
}

// Whatever fits into memory at a time, the slices are the same; and the bound is kept.
TEST_F(Reconstruct, DoesNotDependOnItsSlabs) {
  write(rod());
  const std::vector<std::string> filters{"--rings", "sorting", "--zingers", "0.2", "--centre", "51.5"};
  const at::Tensor whole = slices("whole.tif", filters);
  std::vector<std::string> narrow = filters;
  narrow.insert(narrow.end(), {"--memory", "440M", "--json"});
  const Outcome outcome = run("slabs.tif", narrow);
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_LT(Json::parse(outcome.out).at("slab_rows").get<int64_t>(), kRows);
  EXPECT_TRUE(at::equal(read_image(out("slabs.tif")), whole));
  expect_fails({"--memory", "100M"}, "too little for one slice", 1);
}

// A few rows alone are those rows of the whole; each kind of centre finds the same axis.
TEST_F(Reconstruct, TakesRowsAndCentres) {
  write(rod());
  const at::Tensor whole = slices("whole.h5", {"--centre", "51.5"});
  EXPECT_TRUE(at::equal(slices("some.nrrd", {"--centre", "51.5", "--rows", "7:9"}), whole.narrow(0, 7, 2)));
  for (const char* centre : {"auto", "tilted", "per-slice", "51.4,51.6"}) {
    const at::Tensor image = slices("other.tif", {"--centre", centre, "--rows", "18:22"});
    // a tenth of a column off moves an edge by as much
    EXPECT_LT(relative_difference(image, whole.narrow(0, 18, 4)), 0.08) << centre;
  }
}

// A column that is dead in flats and data alike is interpolated: without it nothing would be missing.
TEST_F(Reconstruct, BearsADeadColumn) {
  write(rod());
  const at::Tensor truth = slices("truth.tif", {"--centre", "51.5"});
  Scan scan = rod();
  scan.projections.select(2, 30).fill_(110);
  scan.flats.select(2, 30).fill_(110);
  scan.darks.select(2, 30).fill_(110);
  write(scan);
  EXPECT_LT(relative_difference(slices("dead.tif", {"--centre", "51.5"}), truth), 0.05);
}

// Ended by kill -9 or Ctrl-C in the middle, then resumed: the same bits as without.
TEST_F(Reconstruct, ResumesToTheSameBits) {
  write(rod());
  const std::vector<std::string> options{"--method", "sirt", "--iterations", "120",
                                         "--centre", "51.5", "--memory",     "440M"};
  const at::Tensor straight = slices("straight.tif", options);
  for (const int signal : {SIGKILL, SIGTERM}) {
    std::vector<std::string> arguments{"reconstruct", in(), out("ended.tif")};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const pid_t process = start_command(arguments);
    ASSERT_TRUE(
        wait_until(process, [&] { return fs::exists(folder_ / ".ended.tif.slabs/rows-000000.f32"); }));
    ::kill(process, signal);
    const int code = wait_for(process);
    EXPECT_NE(code, 0);
    EXPECT_FALSE(fs::exists(out("ended.tif")));
    std::vector<std::string> resume = options;
    resume.emplace_back("--resume");
    EXPECT_TRUE(at::equal(slices("ended.tif", resume), straight));
    EXPECT_FALSE(fs::exists(folder_ / ".ended.tif.slabs"));
    fs::remove(out("ended.tif"));
  }
}

TEST_F(Reconstruct, ResumesNoOtherTask) {
  write(rod());
  fs::create_directory(folder_ / ".bad.tif.slabs");
  write_file(folder_ / ".bad.tif.slabs/task.json", R"({"lucivox": "0"})");
  expect_fails({"--resume"}, "was begun with another", 1);
}

// All candidates in one picture.
TEST_F(Reconstruct, SweepsOverCentres) {
  write(rod());
  const Outcome outcome = run("sweep.png", {"--centre-sweep", "50,53,0.5", "--rows", "20:21"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_EQ(read_file(out("sweep.png")).substr(1, 3), "PNG");
  expect_fails({"--centre-sweep", "53,50,1"}, "sweep", 2);
  expect_fails({"--centre-sweep", "50,53"}, "sweep", 2);
}

TEST_F(Reconstruct, WritesOneSliceAsPng) {
  write(rod());
  const at::Tensor truth = slices("row.tif", {"--rows", "20:21", "--centre", "51.5"}),
                   shades = slices("row.png", {"--rows", "20:21", "--centre", "51.5"});
  // linear in between, but for the thousandth at either end that is cut
  EXPECT_GT(at::corrcoef(at::stack({truth.flatten(), shades.flatten()}))[0][1].item<double>(), 0.999);
  const Outcome several = run("rows.png");
  EXPECT_TRUE(is_clear_error(several)) << several.error;
}

TEST_F(Reconstruct, RefusesBadScans) {
  expect_fails_with(
      [](Scan& scan) {
        scan.flats.zero_();
        scan.darks.zero_();
      },
      "all zero");
  expect_fails_with([](Scan& scan) { scan.projections[3][2][1] = -5; }, "negative");
  expect_fails_with(
      [](Scan& scan) {
        scan.flats.narrow(2, 0, 40).fill_(100);
        scan.darks.narrow(2, 0, 40).fill_(100);
      },
      "dead");
}

// A raw file may hold anything.
TEST_F(Reconstruct, RefusesNaN) {
  const std::vector<float> values{1, 1, 1, NAN, 1, 1, 1, 1};
  write_file(folder_ / "raw", {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  write_file(folder_ / "scan.toml",
             "projections = 'raw'\nangles_deg = [0, 90]\n[raw]\nshape = [2, 1, 4]\ntype = 'float32'\n");
  const Outcome outcome = run_command({"reconstruct", out("scan.toml"), out("bad.tif"), "--centre", "1.5"});
  EXPECT_TRUE(is_clear_error(outcome)) << outcome.error;
  EXPECT_NE(outcome.error.find("NaN"), std::string::npos) << outcome.error;
  EXPECT_FALSE(fs::exists(out("bad.tif")));
}

TEST_F(Reconstruct, RefusesBadRequests) {
  expect_fails({}, "scan.h5", 1);  // no such file
  write(rod());
  expect_fails({"--centre", "96"}, "centre of rotation at 96", 2);
  expect_fails({"--centre", "-1"}, "centre of rotation at -1", 2);
  expect_fails({"--centre", "left"}, "'left' as a centre", 2);
  expect_fails({"--rows", "30:41"}, "rows 30:41", 2);
  expect_fails({"--rows", "9"}, "'9' as rows", 2);
  expect_fails({"--filter", "hamning"}, "no filter 'hamning'", 2);
  expect_fails({"--method", "art"}, "art", 2);
  expect_fails({"--energy-kev", "20"}, "", 2);
  expect_fails({"--pixel-mm", "0"}, "", 2);
  const std::string bytes = read_file(in());
  write_file(in(), bytes.substr(0, bytes.size() / 2));
  expect_fails({"--centre", "51.5"}, "scan.h5", 1);
}

// Its axis is known to lie near column 296.
TEST(ReconstructRealScan, FindsTheToothsAxis) {
  const fs::path scan = fs::path(LUCIVOX_SCANS) / "tooth/tooth.h5";
  if (!fs::exists(scan)) GTEST_SKIP() << "no " << scan;
  const TemporaryFolder folder;
  const Outcome outcome =
      run_command({"reconstruct", scan.string(), (folder / "tooth.tif").string(), "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.error;
  EXPECT_NEAR(Json::parse(outcome.out).at("first_row_centre").get<double>(), 296, 1);
  const at::Tensor slice = read_image(folder / "tooth.tif")[0];
  // dentine against air
  EXPECT_GT(slice.slice(0, 380, 400).slice(1, 300, 320).mean().item<double>(),
            10 * slice.slice(0, 100, 120).slice(1, 300, 320).mean().abs().item<double>());
}

}  // namespace
}  // namespace lucivox
