#include <algorithm>
#include <future>
#include <map>
#include <tuple>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <fmt/format.h>

#include <lucivox/train/loader.h>

namespace lucivox {
namespace {

// This rank's share of a step's samples.
std::vector<Sample> share(std::vector<Sample> samples, const Ranks& ranks) {
  const auto each = static_cast<int64_t>(samples.size()) / ranks.size();
  const auto begin = samples.begin() + each * ranks.rank();
  return {begin, begin + each};
}

std::vector<std::array<int64_t, 2>> shapes_of(const PairedSlices& pairs) {
  std::vector<std::array<int64_t, 2>> shapes;
  for (int64_t i = 0; i < pairs.count(); ++i) shapes.push_back(pairs.shape(i));
  return shapes;
}

// The resident set: all slices one behind the other, and a step's samples as affine walks over them.
class ResidentLoader final : public Loader {
 public:
  ResidentLoader(const LoaderSetting& setting, Staging staging, Reporter& reporter)
      : setting_(setting),
        pinned_(staging == Staging::Pinned),
        sampling_(shapes_of(setting.pairs), setting.options, setting.multiple) {
    for (int64_t i = 0; i < setting.pairs.count(); ++i) {
      const auto [rows, columns] = setting.pairs.shape(i);
      begins_.push_back(pixels_);
      pixels_ += rows * columns;
    }
    begins_.push_back(pixels_);
    at::TensorOptions where = at::TensorOptions().dtype(at::kFloat).pinned_memory(pinned_);
    if (staging == Staging::Device) where = where.device(setting.device);
    slices_ = at::empty({2, pixels_}, where);
    stage(reporter);
  }

  Batch batch(int64_t epoch, int64_t step) override {
    if (epoch != epoch_) draw(epoch);
    const auto [rows, columns] = sides_[static_cast<size_t>(step)];
    const auto integers = at::TensorOptions().dtype(at::kLong).device(slices_.device());
    const at::Tensor u = at::arange(rows, integers).view({1, -1, 1}),
                     v = at::arange(columns, integers).view({1, 1, -1});
    const auto walk = [&](int64_t i) { return walks_[step].select(1, i).view({-1, 1, 1}); };
    const at::Tensor pixels = (walk(0) + u * walk(1) + v * walk(2)).view({-1, setting_.depth, rows, columns});
    return {gather(0, pixels), gather(1, pixels.narrow(1, setting_.depth / 2, 1))};
  }

  const Transfers& moved() const override { return moved_; }

 private:
  // What the low (0) or the full dose (1) has at these pixels, where it is computed with.
  at::Tensor gather(int64_t dose, const at::Tensor& pixels) {
    // pinned again, or the GPU would wait for a copy by way of pageable memory
    at::Tensor values = at::empty({pixels.numel()}, slices_.options().pinned_memory(pinned_));
    at::index_select_out(values, slices_[dose], 0, pixels.flatten());
    auto& path = slices_.device() == setting_.device ? moved_.device_to_device : moved_.host_to_device;
    path += static_cast<int64_t>(values.nbytes());
    return values.view(pixels.sizes()).to(setting_.device, true);
  }

  void stage(Reporter& reporter) {
    const Ranks& ranks = setting_.ranks;
    const int64_t count = setting_.pairs.count(), rank = ranks.rank(), size = ranks.size();
    const auto first = [&](int64_t of_rank) { return count * of_rank / size; };
    Progress progress(reporter, "staging slices", first(rank + 1) - first(rank), "slices");
    for (int64_t i = first(rank); i < first(rank + 1); ++i, progress.advance()) {
      const Batch pair = in_unit_range(setting_.pairs.read(i), setting_.intensity);
      const int64_t begin = begins_[static_cast<size_t>(i)], length = pair.low.numel();
      slices_[0].narrow(0, begin, length).copy_(pair.low.flatten());
      slices_[1].narrow(0, begin, length).copy_(pair.full.flatten());
      if (!slices_.is_cpu()) moved_.host_to_device += 2 * static_cast<int64_t>(pair.low.nbytes());
    }
    for (int64_t from = 0; from < size; ++from) {
      const int64_t begin = begins_[static_cast<size_t>(first(from))],
                    end = begins_[static_cast<size_t>(first(from + 1))];
      for (int64_t channel = 0; channel < 2; ++channel)
        ranks.broadcast(slices_[channel].narrow(0, begin, end - begin), from);
    }
  }

  // All walks of an epoch at once, so that nothing else goes to the device before the next one.
  void draw(int64_t epoch) {
    sides_.clear();
    std::vector<int64_t> numbers;
    for (int64_t step = 0; step < sampling_.steps_per_epoch(); ++step) {
      const std::vector<Sample> mine = share(sampling_.step(epoch, step), setting_.ranks);
      sides_.push_back({mine.front().rows, mine.front().columns});
      for (const Sample& sample : mine) append_walks(sample, numbers);
    }
    const at::Tensor walks = at::tensor(numbers, at::kLong).view({sampling_.steps_per_epoch(), -1, 3});
    walks_ = walks.to(slices_.device());
    if (!slices_.is_cpu()) moved_.host_to_device += static_cast<int64_t>(walks.nbytes());
    epoch_ = epoch;
  }

  // One for each of its adjacent slices.
  void append_walks(const Sample& sample, std::vector<int64_t>& numbers) const {
    const int64_t width = setting_.pairs.shape(sample.slice)[1];
    // of the part before it is turned
    const bool lies = sample.turns % 2 == 1;
    const int64_t rows = lies ? sample.columns : sample.rows, columns = lies ? sample.rows : sample.columns;
    int64_t start = sample.top * width + sample.left;  // in each slice
    int64_t down = width, right = 1;
    int64_t height = rows, breadth = columns;
    if (sample.mirrored) {
      start += (breadth - 1) * right;
      right = -right;
    }
    for (int64_t turn = 0; turn < sample.turns; ++turn) {  // out(u, v) = in(v, breadth - 1 - u)
      start += (breadth - 1) * right;
      std::tie(down, right) = std::pair(-right, down);
      std::swap(height, breadth);
    }
    for (const int64_t slice : neighbours(setting_.pairs, sample.slice, setting_.depth))
      numbers.insert(numbers.end(), {begins_[static_cast<size_t>(slice)] + start, down, right});
  }

  LoaderSetting setting_;
  const bool pinned_;
  Sampling sampling_;
  std::vector<int64_t> begins_;  // of every slice, and the end
  int64_t pixels_ = 0;
  at::Tensor slices_;  // [2, pixels]: low dose, full dose
  int64_t epoch_ = -1;
  // of the epoch's steps: sides of their samples; int64 [steps, N * depth, 3]: pixel (u, v) of a sample lies
  // at start + u * down + v * right
  std::vector<std::array<int64_t, 2>> sides_;
  at::Tensor walks_;
  Transfers moved_;
};

// A set in its files: the next steps' batches are made in threads while one is computed.
class StreamingLoader final : public Loader {
 public:
  explicit StreamingLoader(const LoaderSetting& setting)
      : setting_(setting), sampling_(shapes_of(setting.pairs), setting.options, setting.multiple) {}

  Batch batch(int64_t epoch, int64_t step) override {
    if (epoch != epoch_) ahead_.clear();
    epoch_ = epoch;
    for (int64_t s = step; s <= std::min(step + kAhead, sampling_.steps_per_epoch() - 1); ++s) {
      if (!ahead_.contains(s)) {
        ahead_[s] = std::async(
            std::launch::async,
            [this, samples = share(sampling_.step(epoch, s), setting_.ranks)] { return read(samples); });
      }
    }
    const Batch host = ahead_.at(step).get();
    ahead_.erase(ahead_.begin(), ahead_.upper_bound(step));
    if (!setting_.device.is_cpu())
      moved_.host_to_device += static_cast<int64_t>(host.low.nbytes() + host.full.nbytes());
    return {host.low.to(setting_.device, true), host.full.to(setting_.device, true)};
  }

  const Transfers& moved() const override { return moved_; }

 private:
  static constexpr int64_t kAhead = 4;  // steps

  Batch read(const std::vector<Sample>& samples) const {
    const c10::DeviceGuard here(setting_.device);  // whose pinned memory this thread asks for
    std::vector<at::Tensor> low, full;
    for (const Sample& sample : samples) {
      const Batch pair = read_whole(setting_.pairs, sample.slice, setting_.depth, setting_.intensity);
      low.push_back(cut(pair.low, sample));
      full.push_back(cut(pair.full, sample));
    }
    Batch batch{at::cat(low), at::cat(full)};
    if (!setting_.device.is_cpu()) batch = {batch.low.pin_memory(), batch.full.pin_memory()};
    return batch;
  }

  LoaderSetting setting_;
  Sampling sampling_;
  int64_t epoch_ = -1;
  std::map<int64_t, std::future<Batch>> ahead_;  // of the steps to come
  Transfers moved_;
};

}  // namespace

std::unique_ptr<Loader> open_loader(const LoaderSetting& setting, Reporter& reporter) {
  double bytes = 0;
  for (const auto& [rows, columns] : shapes_of(setting.pairs))
    bytes += 2 * sizeof(float) * static_cast<double>(rows * columns);
  const StagingPlan plan = plan_staging(setting.options.staging, bytes, setting.device,
                                        free_for_each(setting.device, setting.ranks));
  reporter.note(fmt::format("slices wait in: {} ({})", name_of(plan.staging), plan.reason));
  if (plan.staging == Staging::Streaming) return std::make_unique<StreamingLoader>(setting);
  return std::make_unique<ResidentLoader>(setting, plan.staging, reporter);
}

Batch in_unit_range(const SlicePair& pair, const IntensityMapping& intensity) {
  const at::Tensor low = pair.low.unsqueeze(0).unsqueeze(0), full = pair.full.unsqueeze(0).unsqueeze(0);
  const AppliedMapping mapping = apply_mapping(intensity, low);
  return {mapping.to_unit(low), mapping.to_unit(full)};
}

std::vector<int64_t> neighbours(const PairedSlices& pairs, int64_t index, int64_t depth) {
  const auto [first, count] = pairs.stack_of(index);
  std::vector<int64_t> slices;
  for (int64_t offset = -(depth / 2); offset <= depth / 2; ++offset)
    slices.push_back(std::clamp(index + offset, first, first + count - 1));
  return slices;
}

Batch read_whole(PairedSlices& pairs, int64_t index, int64_t depth, const IntensityMapping& intensity) {
  Batch middle = in_unit_range(pairs.read(index), intensity);
  std::vector<at::Tensor> low;
  for (const int64_t slice : neighbours(pairs, index, depth))
    low.push_back(slice == index ? middle.low : in_unit_range(pairs.read(slice), intensity).low);
  middle.low = at::cat(low, 1);
  return middle;
}

at::Tensor cut(const at::Tensor& slice, const Sample& sample) {
  const bool lies = sample.turns % 2 == 1;
  at::Tensor part = slice.narrow(2, sample.top, lies ? sample.columns : sample.rows)
                        .narrow(3, sample.left, lies ? sample.rows : sample.columns);
  if (sample.mirrored) part = part.flip(3);
  return at::rot90(part, sample.turns, {2, 3});
}

}  // namespace lucivox
