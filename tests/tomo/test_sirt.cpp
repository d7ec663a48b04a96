#include <gtest/gtest.h>
#include <tests/devices.h>
#include <tests/tensors.h>
#include <tests/tomo/phantoms.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/project.h>
#include <lucivox/tomo/sirt.h>

namespace lucivox {
namespace {

ScanGeometry coarse_scan(Beam beam = Beam::Parallel) {
  return {whole_turn(61), 70, 1.3, 48, 48, 1, {}, beam, 90, 140};
}

at::Tensor head(c10::Device device = c10::kCPU) {
  return ellipse_image(coarse_scan(), shepp_logan(48)).to(device);
}

// One step written down from the formula, with A and A' as matrices of unit vectors.
TEST(Sirt, IsItsFormula) {
  const ScanGeometry tiny{half_turn(5), 9, 1, 6, 6, 1};
  const at::Tensor units = torch::eye(36).reshape({36, 6, 6});
  const at::Tensor A = forward_project(units, tiny).reshape({36, 45}).t().to(at::kDouble);
  const auto inverse = [](const at::Tensor& sums) {
    return at::where(sums > 0, 1 / sums, torch::zeros_like(sums));
  };
  torch::manual_seed(1);
  const at::Tensor b = torch::rand({45}, at::kDouble);
  at::Tensor x = torch::zeros({36}, at::kDouble);
  for (int i = 0; i < 3; ++i) x += 1.5 * inverse(A.sum(0)) * A.t().mv(inverse(A.sum(1)) * (b - A.mv(x)));
  on_every_device([&](c10::Device device) {
    const SirtResult mine = sirt(b.reshape({1, 5, 9}).to(device), tiny, {.iterations = 3, .relaxation = 1.5});
    EXPECT_LT(relative_difference(mine.image_SYX.flatten(), x), 1e-5);
    EXPECT_NEAR(mine.residuals[0], 1, 1e-6);
  });
}

TEST(Sirt, ComesNearerToTheTruthInEveryBeam) {
  on_every_device([](c10::Device device) {
    for (const Beam beam : {Beam::Parallel, Beam::FanFlat, Beam::FanCurved}) {
      const at::Tensor sino = forward_project(head(device), coarse_scan(beam));
      const auto after = [&](int64_t iterations) {
        return sirt(sino, coarse_scan(beam), {.iterations = iterations});
      };
      const auto error = [&](int64_t iterations) {
        return relative_difference(after(iterations).image_SYX, head());
      };
      EXPECT_LT(error(10), 0.8 * error(1));
      EXPECT_LT(error(100), 0.8 * error(10));
      const std::vector<double> residuals = after(100).residuals;
      for (size_t i = 1; i < residuals.size(); ++i) EXPECT_LT(residuals[i], residuals[i - 1]);
      EXPECT_LT(residuals.back(), 0.03);
    }
  });
}

// What is known narrows the choice: no negative attenuation, nothing outside the head.
TEST(Sirt, KeepsBoundsAndMask) {
  torch::manual_seed(2);
  const at::Tensor noisy = forward_project(head(), coarse_scan()) + 0.5 * torch::randn({1, 61, 70});
  const at::Tensor mask =
      (ellipse_image(coarse_scan(), {{0, 0, 18, 23, 0, 1}}).squeeze(0) > 0).to(at::kFloat);
  on_every_device([&](c10::Device device) {
    const at::Tensor sino = noisy.to(device);
    const at::Tensor free = sirt(sino, coarse_scan(), {.iterations = 60}).image_SYX;
    const at::Tensor bound =
        sirt(sino, coarse_scan(), {.iterations = 60, .minimum = 0, .maximum = 1, .mask_YX = mask})
            .image_SYX.cpu();
    EXPECT_GE(bound.min().item<double>(), 0);
    EXPECT_LE(bound.max().item<double>(), 1);
    EXPECT_EQ((bound * (1 - mask)).abs().max().item<double>(), 0);
    EXPECT_LT(relative_difference(bound, head()), relative_difference(free, head()));
  });
}

// Started from the end of another run it goes on as if there had been no end.
TEST(Sirt, GoesOnFromAStart) {
  on_every_device([](c10::Device device) {
    const at::Tensor sino = forward_project(head(device), coarse_scan());
    const at::Tensor half = sirt(sino, coarse_scan(), {.iterations = 7}).image_SYX;
    EXPECT_TRUE(at::equal(sirt(sino, coarse_scan(), {.iterations = 5, .start_SYX = half}).image_SYX,
                          sirt(sino, coarse_scan(), {.iterations = 12}).image_SYX));
  });
}

// A window over a scan that turns on and on: after any number of turns, in pieces of any size, it iterates as
// one made anew of the same views.
TEST(Sirt, FollowsAMovingWindow) {
  torch::manual_seed(3);
  const int64_t views = coarse_scan().views();
  const at::Tensor mask =
      (ellipse_image(coarse_scan(), {{0, 0, 18, 23, 0, 1}}).squeeze(0) > 0).to(at::kFloat);
  on_every_device([&](c10::Device device) {
    ScanGeometry scan = coarse_scan();
    at::Tensor sino = forward_project(head(device), scan);
    Sirt window(sino, scan, {.mask_YX = mask});
    window.iterate();
    for (int64_t turn = 1; turn <= 3; ++turn) {
      for (int64_t first = 0, count = 0; first < views; first += count) {
        count = std::min<int64_t>(5 + first % 7, views - first);
        std::vector<double> angles;
        for (int64_t v = first; v < first + count; ++v)
          angles.push_back(coarse_scan().angles_rad[static_cast<size_t>(v)] +
                           0.37 * static_cast<double>(turn));
        const at::Tensor part =
            forward_project(head(), with_angles(scan, angles)) + 0.1 * torch::rand({1, 1, 70});
        window.replace_views(first, angles, part);
        std::copy(angles.begin(), angles.end(), scan.angles_rad.begin() + first);
        sino = sino.clone();
        sino.narrow(1, first, count).copy_(part);
      }
      const at::Tensor start = window.image().clone();
      Sirt anew(sino, scan, {.mask_YX = mask, .start_SYX = start});
      EXPECT_NEAR(window.iterate(), anew.iterate(), 1e-6) << turn;
      EXPECT_LT(relative_difference(window.image() - start, anew.image() - start), 1e-5) << turn;
    }
  });
}

TEST(Sirt, RefusesViewsThatAWindowDoesNotHave) {
  Sirt window(torch::ones({2, 61, 70}), coarse_scan(), {});
  EXPECT_THROW(window.replace_views(60, {0, 1}, torch::ones({2, 2, 70})), Error);
  EXPECT_THROW(window.replace_views(-1, {0}, torch::ones({2, 1, 70})), Error);
  EXPECT_THROW(window.replace_views(0, {}, torch::ones({2, 0, 70})), Error);
  EXPECT_THROW(window.replace_views(0, {0}, torch::ones({1, 1, 70})), Error);
  EXPECT_THROW(window.replace_views(0, {0}, torch::ones({2, 2, 70})), Error);
  EXPECT_THROW(window.replace_views(0, {NAN}, torch::ones({2, 1, 70})), Error);
  EXPECT_THROW(window.replace_views(0, {0}, torch::ones({2, 1, 70}) * NAN), Error);
}

TEST(Sirt, StopsWhenItGainsLittle) {
  on_every_device([](c10::Device device) {
    const at::Tensor sino = forward_project(head(device), coarse_scan());
    const SirtResult early = sirt(sino, coarse_scan(), {.iterations = 1000, .tolerance = 0.05});
    ASSERT_LT(early.residuals.size(), 100U);
    const size_t last = early.residuals.size() - 1;
    EXPECT_LT(early.residuals[last - 1] - early.residuals[last], 0.05 * early.residuals[last - 1]);
    int64_t told = 0;
    sirt(sino, coarse_scan(),
         {.iterations = 10, .progress = [&](int64_t i, double) { return (told = i) < 4; }});
    EXPECT_EQ(told, 4);
  });
}

TEST(Sirt, RefusesTheImpossible) {
  const at::Tensor sino = torch::ones({1, 61, 70});
  EXPECT_THROW(sirt(sino, coarse_scan(), {.iterations = 0}), Error);
  EXPECT_THROW(sirt(sino, coarse_scan(), {.relaxation = 2}), Error);
  EXPECT_THROW(sirt(sino, coarse_scan(), {.relaxation = NAN}), Error);
  EXPECT_THROW(sirt(sino, coarse_scan(), {.minimum = 1, .maximum = 0}), Error);
  EXPECT_THROW(sirt(sino, coarse_scan(), {.tolerance = -1}), Error);
  EXPECT_THROW(sirt(sino, coarse_scan(), {.mask_YX = torch::ones({47, 48})}), Error);
  EXPECT_THROW(sirt(sino, coarse_scan(), {.start_SYX = torch::ones({2, 48, 48})}), Error);
  EXPECT_THROW(sirt(sino * NAN, coarse_scan(), {}), Error);
  EXPECT_THROW(sirt(torch::ones({1, 61, 69}), coarse_scan(), {}), Error);
}

}  // namespace
}  // namespace lucivox
