#include <cmath>

#include <gtest/gtest.h>
#include <torch/types.h>

#include <lucivox/base/error.h>
#include <lucivox/tomo/sample.h>

namespace lucivox {
namespace {

constexpr SampleKind kAll[] = {SampleKind::Glass, SampleKind::Shale, SampleKind::Foam, SampleKind::Fibres};

// The core's radius is between these parts of the field.
constexpr double kInnerRadius = 0.4, kOuterRadius = 0.48;

// float64 [size, size]: how far each pixel's middle is from the middle, in fields.
at::Tensor off_axis(int64_t size) {
  const at::Tensor place =
      (torch::arange(size, at::kDouble) - static_cast<double>(size - 1) / 2) / static_cast<double>(size);
  return (place.square().unsqueeze(0) + place.square().unsqueeze(1)).sqrt();
}

double correlation(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor inside = off_axis(a.size(0)) < kInnerRadius;
  return torch::corrcoef(torch::stack({a.masked_select(inside), b.masked_select(inside)}))[0][1]
      .item<double>();
}

TEST(SamplePhantom, IsMadeFromItsSeed) {
  for (const SampleKind kind : kAll) {
    const at::Tensor one = sample_phantom(kind, 64, {0.5}, 1);
    EXPECT_TRUE(at::equal(sample_phantom(kind, 64, {0, 0.5}, 1)[1], one[0]));
    EXPECT_LT(correlation(sample_phantom(kind, 64, {0.5}, 2)[0], one[0]), 0.5);
  }
  EXPECT_THROW(sample_phantom(SampleKind::Glass, 8, {0}, 1), Error);
}

// Of a section with itself, some pixels aside.
double correlation_across(const at::Tensor& section, int64_t pixels, int64_t axis) {
  return correlation(section, section.roll(pixels, axis));
}

// Pores and cells look alike from all sides, so that the next sections resemble one as it resembles itself
// a pixel or three aside: means of three samples, which differ by 0.01 and 0.05. Beds and plies stand
// upright, within 0.4 of it: sections change more across than along.
TEST(SamplePhantom, ChangesAlongTheAxisAsItDoesAcross) {
  constexpr int64_t size = 512;
  for (const SampleKind kind : kAll) {
    for (const int64_t pixels : {1, 3}) {
      double along = 0, across = 0;
      for (const uint64_t seed : {1, 2, 3}) {
        const double step_mm = kSampleFieldMm / size * static_cast<double>(pixels);
        const at::Tensor sections = sample_phantom(kind, size, {0.3, 0.3 + step_mm}, seed);
        along += correlation(sections[0], sections[1]) / 3;
        for (const int64_t axis : {0, 1}) across += correlation_across(sections[0], pixels, axis) / 6;
      }
      if (kind == SampleKind::Glass || kind == SampleKind::Foam) {
        EXPECT_NEAR(along, across, 0.01 * static_cast<double>(pixels)) << static_cast<int>(kind);
      } else {
        EXPECT_GT(along, across) << static_cast<int>(kind);
      }
    }
  }
}

// Air around the core, also in what a detector sees aside of it; nothing is lighter than air or heavier than
// pyrite.
TEST(SamplePhantom, StandsInAir) {
  for (const SampleKind kind : kAll) {
    const at::Tensor section = sample_phantom(kind, 128, {0}, 3)[0];
    EXPECT_GE(section.min().item<double>(), 0);
    EXPECT_LE(section.max().item<double>(), kind == SampleKind::Shale ? 6 : 3);
    EXPECT_EQ(section.masked_select(off_axis(128) > kOuterRadius).max().item<double>(), 0);
  }
}

// Beer and Lambert through the middle columns of a few sections: dark enough to see, bright enough to count.
TEST(SamplePhantom, LetsAUsefulPartOfTheBeamThrough) {
  for (const SampleKind kind : kAll) {
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      const at::Tensor sections = sample_phantom(kind, 64, {0, 0.4, 0.8}, seed);
      const at::Tensor integrals = sections.narrow(2, 24, 16).sum(1) * (kSampleFieldMm / 64);
      const double transmission = integrals.neg().exp().mean().item<double>();
      EXPECT_GT(transmission, 0.1) << static_cast<int>(kind) << " " << seed;
      EXPECT_LT(transmission, 0.45) << static_cast<int>(kind) << " " << seed;
    }
  }
}

// The share of the core that is solid: glass that pores fill by a fifth to a half, rock with a few cracks,
// mostly air, and fibres that take half of their resin.
TEST(SamplePhantom, IsAsPorousAsTheMaterial) {
  struct Solid {
    SampleKind kind;
    double above_per_mm, least, most;
  };
  for (const auto& [kind, above_per_mm, least, most] :
       {Solid{SampleKind::Glass, 0.3, 0.5, 0.8}, Solid{SampleKind::Shale, 0.2, 0.9, 0.999},
        Solid{SampleKind::Foam, 0.8, 0.12, 0.45}, Solid{SampleKind::Fibres, 0.4, 0.35, 0.6}}) {
    for (uint64_t seed = 1; seed <= 4; ++seed) {
      const at::Tensor section = sample_phantom(kind, 256, {0}, seed)[0];
      const double solid = (section.masked_select(off_axis(256) < kInnerRadius) > above_per_mm)
                               .to(at::kDouble)
                               .mean()
                               .item<double>();
      EXPECT_GT(solid, least) << static_cast<int>(kind) << " " << seed;
      EXPECT_LT(solid, most) << static_cast<int>(kind) << " " << seed;
    }
  }
}

// Coarser pixels are means of finer ones, but for texture finer than them: in clay and resin it is most of
// what single pixels show, in glass and ceramic next to nothing.
TEST(SamplePhantom, IsTheSameAtAnySize) {
  for (const SampleKind kind : kAll) {
    const at::Tensor coarse = sample_phantom(kind, 128, {0.3}, 1), fine = sample_phantom(kind, 512, {0.3}, 1);
    const bool textured = kind == SampleKind::Shale || kind == SampleKind::Fibres;
    const int64_t pool = textured ? 4 : 1;
    EXPECT_GT(correlation(at::avg_pool2d(coarse, pool)[0], at::avg_pool2d(fine, 4 * pool)[0]),
              textured ? 0.9 : 0.97)
        << static_cast<int>(kind);
    EXPECT_NEAR((coarse.mean() / fine.mean()).item<double>(), 1, 0.06) << static_cast<int>(kind);
  }
}

TEST(SampleKind, IsKnownByName) {
  EXPECT_EQ(sample_kind("fibres"), SampleKind::Fibres);
  try {
    sample_kind("shales");
    FAIL() << "there is no such sample";
  } catch (const Error& error) {
    EXPECT_NE(error.hint().find("'shale'"), std::string::npos) << error.hint();
    EXPECT_EQ(error.exit_code(), 2);
  }
}

}  // namespace
}  // namespace lucivox
