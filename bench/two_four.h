#pragma once

#include "agreements.h"
#include <c10/core/Device.h>

#include <lucivox/base/config.h>

namespace lucivox::bench {

// What DDNet's layers would gain from 2:4 sparsity on sparse tensor cores (cuSPARSELt): each kind of layer as
// the product of its weights [out, k k in] with the columns of a 512x512 slice, in half precision, dense and
// 2:4, beside cuDNN's convolution of such a slice, which needs no columns.
struct TwoFour {
  std::vector<Agreement> agreements;  // the sparse product with the dense one of the same weights
  Json layers = Json::array();        // seconds of each; a layer that cuSPARSELt refuses tells why
};

// Nothing where `device` has no sparse tensor cores.
TwoFour two_four(c10::Device device);

}  // namespace lucivox::bench
