#include <map>

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/capture.h>

namespace lucivox {
namespace {

// The same one for warming up and for capturing: libraries keep a workspace for each stream.
c10::cuda::CUDAStream own_stream() {
  static std::map<c10::DeviceIndex, c10::cuda::CUDAStream> streams;
  const c10::DeviceIndex device = c10::cuda::current_device();
  const auto found = streams.find(device);
  if (found != streams.end()) return found->second;
  return streams.emplace(device, c10::cuda::getStreamFromPool(false, device)).first->second;
}

// Runs work on a stream of its own, in order with what was asked for before and will be asked for after.
void on_own_stream(const std::function<void()>& work) {
  const c10::cuda::CUDAStream outside = c10::cuda::getCurrentCUDAStream(), own = own_stream();
  C10_CUDA_CHECK(cudaStreamSynchronize(outside));
  {
    const c10::cuda::CUDAStreamGuard guard(own);
    work();
  }
  C10_CUDA_CHECK(cudaStreamSynchronize(own));
}

}  // namespace

class Capture::Recording {
 public:
  // On the current stream.
  void record(const std::function<void()>& work) {
    // of this thread alone: others pin memory for the next batches, which a capture of all threads forbids
    graph_.capture_begin(pool_, cudaStreamCaptureModeThreadLocal);
    try {
      work();
      graph_.capture_end();
    } catch (...) {
      give_up();
      throw;
    }
  }
  void replay() { graph_.replay(); }

 private:
  // Neither may the stream go on capturing nor the allocator keep a pool open, or nothing works thereafter.
  void give_up() {
    const auto stream = c10::cuda::getCurrentCUDAStream();
    cudaStreamCaptureStatus status{};
    cudaGraph_t unfinished = nullptr;
    if (cudaStreamIsCapturing(stream, &status) == cudaSuccess && status != cudaStreamCaptureStatusNone)
      cudaStreamEndCapture(stream, &unfinished);
    if (unfinished != nullptr) cudaGraphDestroy(unfinished);
    cudaGetLastError();  // else the next call that is checked would report it
    try {
      c10::cuda::CUDACachingAllocator::endAllocateToPool(stream.device_index(), pool_);
      c10::cuda::CUDACachingAllocator::releasePool(stream.device_index(), pool_);
    } catch (const c10::Error&) {  // closed already: the capture ended, and what came after it failed
    }
  }

  c10::MempoolId_t pool_ = at::cuda::graph_pool_handle();
  at::cuda::CUDAGraph graph_;
};

bool Capture::possible(c10::Device device) {
  return device.is_cuda();
}

void Capture::warm_up(const std::function<void()>& work) {
  on_own_stream(work);
}

Capture::Capture(const std::function<void()>& work) : recording_(std::make_unique<Recording>()) {
  // a recording has memory of its own: what the steps before it left behind would stand beside it
  c10::cuda::CUDACachingAllocator::emptyCache();
  try {
    on_own_stream([&] { recording_->record(work); });
  } catch (const c10::OutOfMemoryError&) {
    throw;
  } catch (const c10::Error& error) {
    throw Error(fmt::format("the training step could not be captured ({})", error.what_without_backtrace()),
                "set train.capture = false");
  }
}

Capture::~Capture() = default;
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;

void Capture::replay() {
  recording_->replay();
}

}  // namespace lucivox
