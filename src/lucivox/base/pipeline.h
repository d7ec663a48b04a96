#pragma once

#include <cstdint>
#include <future>
#include <utility>

#include <lucivox/base/stop.h>

namespace lucivox {

// Pieces 0 .. count - 1 in their order: `read(i)` gives a piece's input, `compute(i, input)` its output,
// `write(i, output)` takes it. The next piece is read and the one before written while one is computed, so
// that three are in memory at most; reading and writing run in threads of their own. Returns how many pieces
// were written: all, unless asked to stop. Throws what the functions throw, once none is running.
template <typename Read, typename Compute, typename Write>
int64_t run_pipeline(int64_t count, const Read& read, const Compute& compute, const Write& write,
                     const StopToken& stop) {
  if (count <= 0) return 0;
  const auto start_reading = [&](int64_t i) {
    return std::async(std::launch::async, [&read, i] { return read(i); });
  };
  std::future<void> writing;
  auto reading = start_reading(0);
  int64_t done = 0;
  for (; done < count && !stop.stop_requested(); ++done) {
    auto input = reading.get();
    if (done + 1 < count) reading = start_reading(done + 1);
    auto output = compute(done, std::move(input));
    if (writing.valid()) writing.get();
    writing = std::async(std::launch::async, [&write, i = done, values = std::move(output)]() mutable {
      write(i, std::move(values));
    });
  }
  if (writing.valid()) writing.get();
  return done;
}

}  // namespace lucivox
