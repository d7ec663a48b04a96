#pragma once

#include <functional>
#include <memory>

#include <c10/core/Device.h>

namespace lucivox {

// Work on tensors that keep their places and shapes, which a GPU repeats from a recording of its kernels: a
// step of DDNet launches thousands, and at small batches the CPU that launches them is slower than the GPU
// that runs them (Chaturvedi et al., section 3.3). All of it on the current device.
class Capture {
 public:
  // Whether this build and this device can.
  static bool possible(c10::Device device);
  // Runs work as a capture will be run, on a stream of its own; some calls before capturing settle what
  // libraries choose at first use.
  static void warm_up(const std::function<void()>& work);

  // Records the work without running it. It must not read values back from the device. Throws Error when it
  // cannot be recorded, and libtorch's own error when there is no memory for it; what the work would have
  // computed is then as it was.
  explicit Capture(const std::function<void()>& work);
  ~Capture();
  Capture(Capture&&) noexcept;
  Capture& operator=(Capture&&) noexcept;

  // Runs it once.
  void replay();

 private:
  class Recording;
  std::unique_ptr<Recording> recording_;
};

}  // namespace lucivox
