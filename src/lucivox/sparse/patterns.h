#pragma once

#include <lucivox/sparse/convolutions.h>

namespace lucivox {

// Masks of a fixed pattern in every filter; no tensor for a layer that is left alone.

// Blocks at the upper left and the lower right corner of every k x k kernel (Chaturvedi et al., section 2.1,
// Fig. 2b). Taps go in pairs that mirror each other at the kernel's centre, nearest to the corners first: by
// their distance along the diagonal, row + column from the upper left and the mirrored count from the lower
// right, and at the same distance those nearer to the diagonal first. Of the k * k taps the even number that
// is nearest to amount * k * k goes; the centre always stays. 1x1 kernels are left alone.
//   amount 0.5 of 5 x 5:  . . . x x    (x stays)
//                         . . x x x
//                         . x x x .
//                         x x x . .
//                         x x . . .
at::Tensor corners_mask(const ConvolutionWeight& layer, double amount);

// The pattern of sparse tensor cores (Mishra et al., "Accelerating sparse deep neural networks", 2021): in
// every 4 consecutive weights along the input channels, at each tap of each filter, the 2 of smallest |w| go;
// `amount` is 0.5. Layers whose number of input channels is no multiple of 4 are left alone.
at::Tensor two_of_four_mask(const ConvolutionWeight& layer, double amount);

}  // namespace lucivox
