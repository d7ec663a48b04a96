// Of builds without CUDA: nothing can be captured.

#include <lucivox/base/error.h>
#include <lucivox/train/capture.h>

namespace lucivox {

struct Capture::Recording {};

bool Capture::possible(c10::Device) {
  return false;
}

void Capture::warm_up(const std::function<void()>& work) {
  work();
}

Capture::Capture(const std::function<void()>&) {
  throw Error("this build captures no training steps", "build with -DLUCIVOX_CUDA=ON");
}

Capture::~Capture() = default;
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;

void Capture::replay() {}

}  // namespace lucivox
