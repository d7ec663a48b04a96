#include <cmath>
#include <functional>

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <tests/tomo/phantoms.h>
#include <tests/tomo/scans.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/tomo/fbp.h>
#include <lucivox/tomo/project.h>
#include <lucivox/tomo/sirt.h>

namespace lucivox {
namespace {

// Runs the test once with every instruction set that this machine has.
void at_every_vector_length(const std::function<void()>& test) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    test();
  }
  hwy::SetSupportedTargetsForTest(0);
}

double inner_product(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) * b.to(at::kDouble)).sum().item<double>();
}

// Joseph's method once more, one ray and one line at a time, in double.
at::Tensor plain_projection(const at::Tensor& image, const ScanGeometry& scan) {
  const auto pixels = image.to(at::kDouble)[0].contiguous();
  const auto values = pixels.accessor<double, 2>();
  const auto at = [&](int64_t y, int64_t x) {
    return y >= 0 && y < scan.rows && x >= 0 && x < scan.columns ? values[y][x] : 0.0;
  };
  const double middle_x = static_cast<double>(scan.columns - 1) / 2,
               middle_y = static_cast<double>(scan.rows - 1) / 2;
  return sinogram_of(scan, std::vector<int>{0}, [&](int, const NormalLine& ray) {
    const double c = std::cos(ray.normal_rad), s = std::sin(ray.normal_rad), offset = ray.s / scan.pixel_mm;
    const bool by_columns = std::abs(s) > std::abs(c);
    double sum = 0;
    for (int64_t line = 0; line < (by_columns ? scan.columns : scan.rows); ++line) {
      const double along = static_cast<double>(line) - (by_columns ? middle_x : middle_y);
      const double across =
          by_columns ? (offset - along * c) / s + middle_y : (offset - along * s) / c + middle_x;
      const double below = std::floor(across), fraction = across - below;
      const auto i = static_cast<int64_t>(below);
      sum += by_columns ? (1 - fraction) * at(i, line) + fraction * at(i + 1, line)
                        : (1 - fraction) * at(line, i) + fraction * at(line, i + 1);
    }
    return sum * scan.pixel_mm / std::max(std::abs(c), std::abs(s));
  });
}

// Positions are float32, good to 1e-5 of a pixel here, and values differ by up to 1 from pixel to pixel: so
// much an error on each of at most 64 lines, each up to 1.3 * 1.42 mm long.
TEST(ForwardProject, IsJosephsMethodAtEveryVectorLength) {
  torch::manual_seed(1);
  for (const ScanGeometry& scan : odd_scans()) {
    const at::Tensor image = torch::rand({1, scan.rows, scan.columns});
    const at::Tensor truth = plain_projection(image, scan);
    at_every_vector_length(
        [&] { EXPECT_LT(largest_difference(forward_project(image, scan), truth), 120e-5); });
  }
}

// The same weights both ways: only the order of float32 sums differs.
TEST(AdjointProject, IsTheAdjoint) {
  torch::manual_seed(2);
  for (const ScanGeometry& scan : odd_scans()) {
    const at::Tensor x = torch::rand({2, scan.rows, scan.columns}),
                     y = torch::rand({2, scan.views(), scan.detectors});
    at_every_vector_length([&] {
      const double forward = inner_product(forward_project(x, scan), y),
                   backward = inner_product(x, adjoint_project(y, scan));
      EXPECT_NEAR(forward, backward, 1e-6 * std::abs(forward));
    });
  }
}

// The same over random geometries.
TEST(AdjointProject, IsTheAdjointOfAnyGeometry) {
  torch::manual_seed(3);
  const auto between = [](double low, double high) {
    return low + (high - low) * torch::rand({}).item<double>();
  };
  for (int i = 0; i < 60; ++i) {
    ScanGeometry scan;
    for (int v = 0; v < 5; ++v) scan.angles_rad.push_back(between(-7, 7));
    scan.rows = torch::randint(1, 70, {}).item<int64_t>();
    scan.columns = torch::randint(1, 70, {}).item<int64_t>();
    scan.detectors = torch::randint(1, 120, {}).item<int64_t>();
    scan.pixel_mm = between(0.2, 2);
    scan.detector_mm = between(0.2, 2);
    scan.centre = between(0, static_cast<double>(scan.detectors - 1));
    scan.beam = std::array{Beam::Parallel, Beam::FanFlat, Beam::FanCurved}[static_cast<size_t>(i % 3)];
    const double reach = std::hypot(scan.rows, scan.columns) / 2 * scan.pixel_mm;
    scan.source_mm = reach * between(1.05, 5);
    scan.source_detector_mm =
        scan.source_mm + between(0.1, 2) * static_cast<double>(scan.detectors) * scan.detector_mm;
    const at::Tensor x = torch::rand({3, scan.rows, scan.columns}),
                     y = torch::rand({3, scan.views(), scan.detectors});
    const double forward = inner_product(forward_project(x, scan), y),
                 backward = inner_product(x, adjoint_project(y, scan));
    EXPECT_NEAR(forward, backward, 1e-6 * std::abs(forward) + 1e-9) << i;
  }
}

// Slices do not meet: a stack beyond one group gives what its slices give alone, bit for bit.
TEST(ForwardProject, TreatsSlicesAlone) {
  torch::manual_seed(4);
  const ScanGeometry scan = odd_scans()[5];
  const at::Tensor x = torch::rand({19, scan.rows, scan.columns}),
                   y = torch::rand({19, scan.views(), scan.detectors});
  const at::Tensor forward = forward_project(x, scan), adjoint = adjoint_project(y, scan);
  for (const int64_t s : {0, 15, 16, 18}) {
    EXPECT_TRUE(at::equal(forward.narrow(0, s, 1), forward_project(x.narrow(0, s, 1), scan)));
    EXPECT_TRUE(at::equal(adjoint.narrow(0, s, 1), adjoint_project(y.narrow(0, s, 1), scan)));
  }
}

ScanGeometry fine_scan(int64_t size, Beam beam) {
  const double pixel = 100.0 / static_cast<double>(size);
  return {
      half_turn(31), size * 3 / 2, beam == Beam::Parallel ? pixel : 2 * pixel, size, size, pixel, {}, beam,
      150,           300};
}

struct Blob {
  double x, y, sigma;
};

// Linear interpolation of a smooth object errs by the square of the pixel: half the pixel, a quarter of the
// error.
TEST(ForwardProject, ErrsByTheSquareOfThePixelOnASmoothObject) {
  const Blob blob{11, -7, 9};
  const auto error = [&](int64_t size, Beam beam) {
    const ScanGeometry scan = fine_scan(size, beam);
    const at::Tensor y = fine_axis(size, scan.pixel_mm, 1).unsqueeze(1) - blob.y,
                     x = fine_axis(size, scan.pixel_mm, 1).unsqueeze(0) - blob.x;
    const at::Tensor image = at::exp((x.square() + y.square()) / (-2 * blob.sigma * blob.sigma)).unsqueeze(0);
    const at::Tensor truth =
        sinogram_of(scan, std::vector<Blob>{blob}, [](const Blob& b, const NormalLine& line) {
          const double s = line.s - b.x * std::cos(line.normal_rad) - b.y * std::sin(line.normal_rad);
          return b.sigma * std::sqrt(2 * M_PI) * std::exp(s * s / (-2 * b.sigma * b.sigma));
        });
    return relative_difference(forward_project(image.to(at::kFloat), scan), truth);
  };
  for (const Beam beam : {Beam::Parallel, Beam::FanFlat, Beam::FanCurved}) {
    const double coarse = error(32, beam), fine = error(64, beam);
    EXPECT_NEAR(coarse / fine, 4, 0.4);
    EXPECT_LT(fine, 2e-3);
  }
}

// A ray that touches an edge of a blurred pixel h errs by sqrt(h), and a share h of the rays do; those that
// only come near add a logarithm: h sqrt(log(1/h)) in all, 1.85 times less for half the pixel.
TEST(ForwardProject, ErrsByThePixelOnEdges) {
  const std::vector<Ellipse> ellipses{{5, -8, 30, 20, 0.4, 0.02}, {-10, 10, 8, 12, 1.1, 0.03}};
  for (const Beam beam : {Beam::Parallel, Beam::FanFlat, Beam::FanCurved}) {
    const auto error = [&](int64_t size) {
      const ScanGeometry scan = fine_scan(size, beam);
      return relative_difference(forward_project(ellipse_image(scan, ellipses), scan),
                                 ellipse_sinogram(scan, ellipses));
    };
    const double coarse = error(64), fine = error(128);
    EXPECT_GT(coarse / fine, 1.7);
    EXPECT_LT(fine, 1e-2);
  }
}

// Each operator is the other's derivative: <A'y, d> is how <A x, y> changes along d, exactly, for A is
// linear.
TEST(Project, IsDifferentiable) {
  torch::manual_seed(5);
  const ScanGeometry scan = odd_scans()[3];
  const at::Tensor x = torch::rand({2, scan.rows, scan.columns}).requires_grad_(),
                   y = torch::rand({2, scan.views(), scan.detectors}).requires_grad_();
  (forward_project(x, scan) * y.detach()).sum().backward();
  EXPECT_TRUE(at::equal(x.grad(), adjoint_project(y, scan)));
  (adjoint_project(y, scan) * x.detach()).sum().backward();
  EXPECT_TRUE(at::equal(y.grad(), forward_project(x, scan)));
}

// Computed where the tensor is, derivatives and reconstructions included; sums have another order there.
TEST(Project, IsTheSameOnEveryDevice) {
  torch::manual_seed(6);
  for (const ScanGeometry& scan : odd_scans()) {
    const at::Tensor x = torch::rand({2, scan.rows, scan.columns}),
                     y = torch::rand({2, scan.views(), scan.detectors});
    on_every_device([&](c10::Device device) {
      const at::Tensor there = x.to(device).requires_grad_();
      const at::Tensor sino = forward_project(there, scan);
      EXPECT_EQ(sino.device(), device);
      EXPECT_LT(relative_difference(sino, forward_project(x, scan)), 1e-5);
      (sino * y.to(device)).sum().backward();
      EXPECT_LT(relative_difference(there.grad(), adjoint_project(y, scan)), 1e-5);
      const SirtOptions few{.iterations = 3};
      EXPECT_LT(relative_difference(sirt(y.to(device), scan, few).image_SYX, sirt(y, scan, few).image_SYX),
                1e-4);
    });
  }
  const ScanGeometry whole{half_turn(40), 50, 1, 48, 48, 1};
  const at::Tensor sino = torch::rand({2, 40, 50});
  on_every_device([&](c10::Device device) {
    const at::Tensor slices = fbp(sino.to(device), whole);
    EXPECT_EQ(slices.device(), device);
    EXPECT_LT(relative_difference(slices, fbp(sino, whole)), 1e-5);
  });
}

// The same whatever the number of threads, bit for bit.
TEST(ForwardProject, DoesNotDependOnTheNumberOfThreads) {
  for (const size_t i : {3, 6}) {
    const ScanGeometry scan = odd_scans()[i];
    const at::Tensor x = torch::rand({1, scan.rows, scan.columns}),
                     y = torch::rand({1, scan.views(), scan.detectors});
    const int before = threads();
    set_threads(1);
    const at::Tensor forward = forward_project(x, scan), adjoint = adjoint_project(y, scan);
    set_threads(3);
    EXPECT_TRUE(at::equal(forward_project(x, scan), forward));
    EXPECT_TRUE(at::equal(adjoint_project(y, scan), adjoint));
    set_threads(before);
  }
}

TEST(ForwardProject, RefusesWhatDoesNotFit) {
  const ScanGeometry scan = odd_scans()[1];
  EXPECT_THROW(forward_project(torch::rand({1, 7, 3}), scan), Error);
  EXPECT_THROW(forward_project(torch::rand({3, 7}), scan), Error);
  EXPECT_THROW(adjoint_project(torch::rand({1, 9, 4}), scan), Error);
}

TEST(Geometry, RefusesTheImpossible) {
  const auto refused = [](const std::function<void(ScanGeometry&)>& change) {
    ScanGeometry scan{half_turn(4), 8, 1, 4, 4, 1, {}, Beam::FanFlat, 10, 20};
    EXPECT_NO_THROW(check(scan));
    change(scan);
    EXPECT_THROW(check(scan), Error);
  };
  refused([](ScanGeometry& scan) { scan.pixel_mm = 0; });
  refused([](ScanGeometry& scan) { scan.detector_mm = NAN; });
  refused([](ScanGeometry& scan) { scan.angles_rad.clear(); });
  refused([](ScanGeometry& scan) { scan.angles_rad[1] = INFINITY; });
  refused([](ScanGeometry& scan) { scan.rows = 0; });
  refused([](ScanGeometry& scan) { scan.centre = -0.1; });
  refused([](ScanGeometry& scan) { scan.centre = 7.1; });
  refused([](ScanGeometry& scan) { scan.source_mm = 2; });
  refused([](ScanGeometry& scan) { scan.source_detector_mm = 9; });
}

}  // namespace
}  // namespace lucivox
