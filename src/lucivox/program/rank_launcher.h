#pragma once

#include <lucivox/base/stop.h>

namespace lucivox {

// Runs this command `ranks` times on this machine as ranks that find each other, its cores shared among them,
// and gives the first exit code that is not 0. When one fails, the others are given some seconds to tell why
// they end, and are ended then.
int run_as_ranks(int ranks, const StopToken& stop);

}  // namespace lucivox
