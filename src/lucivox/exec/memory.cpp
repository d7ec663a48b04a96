#include <cstdlib>
#include <map>
#include <mutex>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>
#include <unistd.h>

#include <lucivox/base/memory.h>
#include <lucivox/exec/memory.h>

namespace lucivox {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLarge = kHugePage / 2;  // from here on memory is worth keeping
constexpr size_t kGranule =
    size_t{64} << 10;  // sizes of large blocks are multiples, so that nearly equal tensors share them
constexpr size_t kAlignment = 64;  // what libtorch promises its vector loops

// Stands right before a tensor's data.
struct alignas(kAlignment) Header {
  size_t block_bytes;  // of the whole block, the header included
};

Header* header_of(void* data) {
  return static_cast<Header*>(data) - 1;
}

size_t physical_memory() {
  return static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGE_SIZE));
}

class KeepingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes == 0 ? nullptr : take(bytes);
    return {data, data, &KeepingAllocator::give_back, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &KeepingAllocator::give_back; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  static KeepingAllocator& instance() {
    // never destroyed: tensors in static storage may outlive it
    static auto* allocator = new KeepingAllocator;
    return *allocator;
  }

 private:
  void* take(size_t bytes) {
    const size_t needed = bytes + sizeof(Header);
    const size_t unit = needed > kLarge ? kGranule : kAlignment;
    const size_t block = (needed + unit - 1) / unit * unit;
    void* memory = block > kLarge ? take_kept(block) : nullptr;
    if (memory == nullptr) memory = take_new(block);
    return static_cast<Header*>(memory) + 1;
  }

  void* take_new(size_t block) {
    const size_t alignment = block > kLarge ? kHugePage : kAlignment;
    void* memory = aligned(alignment, block);
    if (memory == nullptr) {
      release_kept();
      memory = aligned(alignment, block);
    }
    if (memory == nullptr) throw out_of_memory(static_cast<double>(block));
    if (block > kLarge) ::madvise(memory, block, MADV_HUGEPAGE);
    static_cast<Header*>(memory)->block_bytes = block;
    return memory;
  }

  // Not std::aligned_alloc, which may refuse sizes that are no multiple of the alignment.
  static void* aligned(size_t alignment, size_t bytes) {
    void* memory = nullptr;
    return ::posix_memalign(&memory, alignment, bytes) == 0 ? memory : nullptr;
  }

  // The smallest kept block that is large enough and not more than a quarter too large.
  void* take_kept(size_t block) {
    const std::lock_guard lock(mutex_);
    const auto found = kept_.lower_bound(block);
    if (found == kept_.end() || found->first > block + block / 4) return nullptr;
    void* memory = found->second;
    kept_bytes_ -= found->first;
    kept_.erase(found);
    return memory;
  }

  static void give_back(void* data) {
    if (data != nullptr) instance().keep(header_of(data));
  }

  void keep(Header* block) {
    const size_t bytes = block->block_bytes;
    if (bytes <= kLarge) return std::free(block);
    const std::lock_guard lock(mutex_);
    if (kept_bytes_ + bytes > limit_) return std::free(block);
    kept_.emplace(bytes, block);
    kept_bytes_ += bytes;
  }

  void release_kept() {
    const std::lock_guard lock(mutex_);
    for (const auto& [bytes, memory] : kept_) std::free(memory);
    kept_.clear();
    kept_bytes_ = 0;
  }

  std::mutex mutex_;
  std::multimap<size_t, void*> kept_;  // by size
  size_t kept_bytes_ = 0;
  const size_t limit_ = physical_memory() / 4;
};

}  // namespace

void keep_tensor_memory() {
  c10::SetCPUAllocator(&KeepingAllocator::instance());
}

}  // namespace lucivox
