#include <algorithm>

#include <ATen/ATen.h>

#include <lucivox/tomo/preprocess/normalise.h>
#include <lucivox/tomo/preprocess/recorded.h>
#include <lucivox/tomo/preprocess/zingers.h>

namespace lucivox {
namespace {

constexpr int64_t kZingerWindow = 3;

at::Tensor without_rings(const at::Tensor& sino_SVU, RingRemoval method) {
  switch (method) {
    case RingRemoval::WaveletFourier:
      return remove_stripes_wavelet_fourier(sino_SVU);
    case RingRemoval::Sorting:
      return remove_stripes_sorting(sino_SVU);
    case RingRemoval::None:
      break;
  }
  return sino_SVU;
}

at::Tensor transmission(const Recorded& recorded) {
  at::Tensor raw = normalise(recorded.projections, recorded.flats, recorded.darks);
  if (recorded.flats.size(0) == 0) return raw;
  return repair(raw, dead_pixels(recorded.flats, recorded.darks));
}

}  // namespace

int64_t halo_rows(const Preprocessing& preprocessing) {
  const int64_t zingers = preprocessing.zinger_threshold > 0 ? kZingerWindow / 2 : 0;
  return zingers + (preprocessing.phase ? phase_halo(*preprocessing.phase) : 0);
}

at::Tensor line_integrals(Recorded recorded, int64_t first, int64_t count,
                          const Preprocessing& preprocessing) {
  at::Tensor values = transmission(recorded);
  recorded = {};
  if (preprocessing.zinger_threshold > 0)
    values = remove_zingers(values, preprocessing.zinger_threshold, kZingerWindow);
  if (preprocessing.phase) values = retrieve_phase(values, *preprocessing.phase);
  const at::Tensor sino = values.narrow(1, first, count).transpose(0, 1).contiguous();
  values = at::Tensor();
  return without_rings(preprocessing.phase ? sino : minus_log(sino), preprocessing.rings);
}

}  // namespace lucivox
