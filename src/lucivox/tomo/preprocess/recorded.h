#pragma once

#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

#include <lucivox/tomo/preprocess/phase.h>
#include <lucivox/tomo/preprocess/rings.h>

namespace lucivox {

// What a detector recorded of some of its rows: projections [V, Z, U], flat fields [F, Z, U], dark fields
// [D, Z, U], float32 counts.
struct Recorded {
  at::Tensor projections, flats, darks;
};

enum class RingRemoval { None, WaveletFourier, Sorting };

// How counts become line integrals. Dead pixels are always repaired.
struct Preprocessing {
  double zinger_threshold = 0;            // in units of the open beam (zingers.h); 0: zingers stay
  RingRemoval rings = RingRemoval::None;  // with their methods' usual widths
  std::optional<Propagation> phase = {};  // with Paganin's filter; else by the logarithm alone
};

// Rows of real neighbours that line_integrals() needs on either side of those it is asked for.
int64_t halo_rows(const Preprocessing& preprocessing);

// The line integrals of rows [first, first + count) of what was recorded, the rest being their halo as far as
// the detector has one: sinograms [count, V, U], float32. Throws as the steps do, in this order: dead_pixels,
// normalise, repair; remove_zingers; retrieve_phase or minus_log; the rings' filter.
at::Tensor line_integrals(Recorded recorded, int64_t first, int64_t count,
                          const Preprocessing& preprocessing);

}  // namespace lucivox
