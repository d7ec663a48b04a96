#include <cmath>

#include <gtest/gtest.h>
#include <tests/tensors.h>
#include <tests/tomo/preprocess/messages.h>
#include <torch/types.h>

#include <lucivox/tomo/preprocess/phase.h>

namespace lucivox {
namespace {

// 20 keV: wavelength 6.2e-8 mm; l^2 = 100 * 6.199e-8 * 400 / (4 pi) = 1.973e-4 mm^2, l = 0.01405 mm: 3.5
// pixels.
constexpr Propagation kBeam{.pixel_mm = 0.004, .distance_mm = 100, .energy_keV = 20, .delta_beta = 400};
constexpr double kBlurMm = 0.0140472;

// A wave comes out with the gain of eq. 12; the edges are further away than the filter reaches.
TEST(RetrievePhase, DampsACosineAsEquation12) {
  constexpr double ku = 2 * M_PI / 0.048, kz = 2 * M_PI / 0.1, amplitude = 0.3;
  const at::Tensor u = torch::arange(160, at::kDouble) * kBeam.pixel_mm,
                   z = torch::arange(120, at::kDouble).unsqueeze(1) * kBeam.pixel_mm;
  const at::Tensor wave = at::cos(ku * u + kz * z);
  const double gain = 1 / (1 + kBlurMm * kBlurMm * (ku * ku + kz * kz));
  const at::Tensor truth = -at::log(1 + amplitude * gain * wave);
  const at::Tensor mine = retrieve_phase((1 + amplitude * wave).to(at::kFloat).unsqueeze(0), kBeam)[0];
  const auto inside = [](const at::Tensor& image) { return image.slice(0, 40, 80).slice(1, 40, 120); };
  EXPECT_LT(largest_difference(inside(mine), inside(truth)), 1e-4);
  EXPECT_LT(gain, 0.25);
}

TEST(RetrievePhase, IsTheLogarithmWithoutPropagation) {
  const at::Tensor transmission = 0.1 + torch::rand({2, 5, 7});
  Propagation contact = kBeam;
  contact.distance_mm = 0;
  EXPECT_LT(largest_difference(retrieve_phase(transmission, contact), minus_log(transmission)), 1e-5);
}

// Half light, half shadow: far from the edge between them each side keeps its value, at the detector's ends
// too.
TEST(RetrievePhase, DoesNotWrapAround) {
  at::Tensor transmission = torch::ones({1, 6, 120});
  transmission.narrow(2, 60, 60).fill_(0.5);
  const at::Tensor mine = retrieve_phase(transmission, kBeam);
  EXPECT_NEAR(mine[0][0][0].item<double>(), 0, 1e-3);
  EXPECT_NEAR(mine[0][5][119].item<double>(), std::log(2.0), 1e-3);
}

// A slab with its halo against the whole. Rows that differ by noise and by a step, the hardest case.
TEST(PhaseHalo, MakesSlabsEqualToTheWhole) {
  torch::manual_seed(1);
  at::Tensor whole = torch::rand({1, 300, 40}) + 1;
  whole.narrow(1, 150, 150).sub_(0.9);
  for (const double tolerance : {1e-2, 1e-3}) {
    const int64_t halo = phase_halo(kBeam, tolerance), first = 150 + halo;
    const auto filtered = [&](const at::Tensor& rows) { return at::exp(-retrieve_phase(rows, kBeam)); };
    const at::Tensor truth = filtered(whole).narrow(1, first, 20);
    const at::Tensor slab = filtered(whole.narrow(1, first - halo, 20 + 2 * halo)).narrow(1, halo, 20);
    // rows differ by up to 1.9; both sides of a slab are cut, and retrieve_phase's own margins reach 1e-3
    EXPECT_LT(largest_difference(slab, truth), 1.9 * (tolerance + 1e-3)) << tolerance;
  }
}

// The filter along one axis is exp(-|z| / l) / (2 l): beyond z on both sides lies exp(-z / l) of it.
TEST(PhaseHalo, FollowsTheDecayOfTheFilter) {
  for (const double tolerance : {1e-2, 1e-3, 1e-4}) {
    Propagation beam = kBeam;
    beam.distance_mm = 900;  // three times the blur
    const double expected = 3 * kBlurMm / beam.pixel_mm * std::log(1 / tolerance);
    EXPECT_NEAR(static_cast<double>(phase_halo(beam, tolerance)), expected, 2) << tolerance;
  }
  Propagation contact = kBeam;
  contact.distance_mm = 0;
  EXPECT_EQ(phase_halo(contact), 0);
}

TEST(RetrievePhase, RefusesTheImpossible) {
  const at::Tensor views = torch::ones({1, 4, 4});
  const auto with = [](double Propagation::*member, double value) {
    Propagation beam = kBeam;
    beam.*member = value;
    return beam;
  };
  EXPECT_THROW(retrieve_phase(views, {}), Error);
  EXPECT_THROW(retrieve_phase(views, with(&Propagation::pixel_mm, -1)), Error);
  EXPECT_THROW(retrieve_phase(views, with(&Propagation::distance_mm, -1)), Error);
  EXPECT_THROW(retrieve_phase(views, with(&Propagation::energy_keV, 0)), Error);
  EXPECT_THROW(retrieve_phase(views, with(&Propagation::delta_beta, NAN)), Error);
  EXPECT_TRUE(
      says(message_of([&] { retrieve_phase(views, with(&Propagation::pixel_mm, 4e-9)); }), "blurs over"));
  EXPECT_THROW(retrieve_phase(views[0], kBeam), Error);
  EXPECT_TRUE(says(message_of([&] { retrieve_phase(views / 0, kBeam); }), "16 of 16 values"));
  EXPECT_THROW(phase_halo(kBeam, 0), Error);
  EXPECT_THROW(phase_halo(kBeam, 1), Error);
}

}  // namespace
}  // namespace lucivox
