#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <lucivox/base/error.h>
#include <lucivox/base/random.h>
#include <lucivox/train/pairs.h>

namespace lucivox {
namespace {

void require_same_size(const ImageSource& low, const ImageSource& full) {
  if (low.info().shape == full.info().shape) return;
  throw Error(fmt::format("{} has {} pixels and {} has {}", low.name(), fmt::join(low.info().shape, "x"),
                          full.name(), fmt::join(full.info().shape, "x")),
              "low and full dose must show the same slices at the same size");
}

class VolumePairs final : public PairedSlices {
 public:
  explicit VolumePairs(std::vector<VolumePair> volumes) : volumes_(std::move(volumes)) {
    for (const VolumePair& pair : volumes_) {
      const auto low = pair.low(), full = pair.full();
      require_same_size(*low, *full);
      shapes_.push_back(low->info().shape);
      names_.push_back(low->name());
      if (names_.size() == 1) units_ = low->info().units;
      if (low->info().units != units_) units_ = Units::Unknown;
      ends_.push_back(count() + low->info().shape[0]);
      begin_stack(ends_.size() - 1);
    }
    if (volumes_.empty())
      throw Error("there are no pairs of slices to learn from", "give a folder with HQ/ and LQ/");
  }

  int64_t count() const override { return ends_.empty() ? 0 : ends_.back(); }

  Units units() const override { return units_; }

  Stack stack_of(int64_t index) const override {
    const size_t first = first_of_stack_[volume_of(index)];
    size_t last = first;
    while (last + 1 < ends_.size() && first_of_stack_[last + 1] == first) ++last;
    const int64_t begin = first == 0 ? 0 : ends_[first - 1];
    return {begin, ends_[last] - begin};
  }

  std::array<int64_t, 2> shape(int64_t index) const override {
    const auto& [z, y, x] = shapes_[volume_of(index)];
    return {y, x};
  }

  std::string name(int64_t index) const override {
    const size_t volume = volume_of(index);
    const int64_t slices = shapes_[volume][0];
    return slices == 1 ? names_[volume] : fmt::format("{} slice {}", names_[volume], slice_of(index));
  }

  SlicePair read(int64_t index) override {
    const VolumePair& pair = volumes_[volume_of(index)];
    return {read_slice(*pair.low(), slice_of(index)), read_slice(*pair.full(), slice_of(index))};
  }

 private:
  static at::Tensor read_slice(ImageSource& source, int64_t z) {
    at::Tensor values = source.read(slice(source.info(), z)).squeeze(0);
    require_finite(values, source.name());
    return values;
  }

  // The last volume goes on with the stack before it, or begins one.
  void begin_stack(size_t volume) {
    const bool goes_on = volume > 0 && shapes_[volume][0] == 1 && shapes_[volume] == shapes_[volume - 1];
    first_of_stack_.push_back(goes_on ? first_of_stack_[volume - 1] : volume);
  }

  size_t volume_of(int64_t index) const {
    return static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin());
  }
  int64_t slice_of(int64_t index) const {
    const size_t volume = volume_of(index);
    return volume == 0 ? index : index - ends_[volume - 1];
  }

  std::vector<VolumePair> volumes_;
  std::vector<std::array<int64_t, 3>> shapes_;
  std::vector<std::string> names_;
  Units units_ = Units::Unknown;
  std::vector<size_t> first_of_stack_;  // of each volume
  std::vector<int64_t> ends_;           // one past the last slice of each volume, counted through all
};

// Some slices of others. Those that follow each other in one stack stay a stack.
class SomeSlices final : public PairedSlices {
 public:
  SomeSlices(std::shared_ptr<PairedSlices> all, std::vector<int64_t> indices)
      : all_(std::move(all)), indices_(std::move(indices)) {}

  int64_t count() const override { return std::ssize(indices_); }
  Units units() const override { return all_->units(); }
  std::array<int64_t, 2> shape(int64_t index) const override { return all_->shape(at(index)); }
  std::string name(int64_t index) const override { return all_->name(at(index)); }
  SlicePair read(int64_t index) override { return all_->read(at(index)); }

  Stack stack_of(int64_t index) const override {
    int64_t first = index, last = index;
    while (first > 0 && adjacent(first - 1)) --first;
    while (last + 1 < count() && adjacent(last)) ++last;
    return {first, last - first + 1};
  }

 private:
  int64_t at(int64_t index) const { return indices_[static_cast<size_t>(index)]; }
  bool adjacent(int64_t index) const {
    return at(index + 1) == at(index) + 1 &&
           all_->stack_of(at(index)).first == all_->stack_of(at(index + 1)).first;
  }

  std::shared_ptr<PairedSlices> all_;
  std::vector<int64_t> indices_;
};

constexpr int64_t kOneIn = 10;        // slices that are held out
constexpr int64_t kEnoughStacks = 4;  // to hold out whole ones

// `wanted` numbers of 0 .. count - 1, evenly spread.
std::vector<int64_t> spread(int64_t wanted, int64_t count) {
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < wanted; ++i) numbers.push_back((2 * i + 1) * count / (2 * wanted));
  return numbers;
}

// The first slice of each stack, and one past the last slice of all.
std::vector<int64_t> stack_begins(const PairedSlices& all) {
  std::vector<int64_t> begins;
  for (int64_t i = 0; i < all.count(); i += all.stack_of(i).count) begins.push_back(i);
  begins.push_back(all.count());
  return begins;
}

PairedSlices::Stack longest_stack(const PairedSlices& all) {
  PairedSlices::Stack longest = all.stack_of(0);
  for (int64_t i = 0; i < all.count(); i += all.stack_of(i).count)
    if (all.stack_of(i).count > longest.count) longest = all.stack_of(i);
  return longest;
}

// The slices to validate on, in ascending order; none where too few would be left.
std::vector<int64_t> held_out(const PairedSlices& all, int64_t depth) {
  const std::vector<int64_t> begins = stack_begins(all);
  const int64_t stacks = std::ssize(begins) - 1, tenth = std::max<int64_t>(all.count() / kOneIn, 2);
  std::vector<int64_t> held;
  if (stacks >= kEnoughStacks) {
    for (const int64_t stack : spread(std::max<int64_t>(stacks / kOneIn, 1), stacks)) {
      const auto s = static_cast<size_t>(stack);
      for (int64_t i = begins[s]; i < begins[s + 1]; ++i) held.push_back(i);
    }
  } else if (depth == 1) {
    held = spread(tenth, all.count());
  } else {
    // the end of the longest, of which enough must be left to read adjacent slices in
    const PairedSlices::Stack longest = longest_stack(all);
    if (longest.count <= 2 * depth) return held;
    const int64_t end = longest.first + longest.count,
                  number = std::min(std::max(tenth, depth), longest.count - depth);
    for (int64_t i = end - number; i < end; ++i) held.push_back(i);
  }
  return held;
}

}  // namespace

Division hold_out(const std::shared_ptr<PairedSlices>& all, int64_t depth) {
  constexpr int64_t few = 4;  // that two cannot be spared of
  const bool divisible = all->count() > few;
  const std::vector<int64_t> held = divisible ? held_out(*all, depth) : std::vector<int64_t>();
  std::vector<int64_t> rest;
  for (int64_t i = 0; i < all->count(); ++i) {
    if (!std::binary_search(held.begin(), held.end(), i)) rest.push_back(i);
  }
  return {std::make_unique<SomeSlices>(all, rest),
          held.empty() ? nullptr : std::make_unique<SomeSlices>(all, held)};
}

std::unique_ptr<PairedSlices> paired_slices(std::vector<VolumePair> volumes) {
  return std::make_unique<VolumePairs>(std::move(volumes));
}

std::string fingerprint(const PairedSlices& pairs) {
  uint64_t hash = static_cast<uint64_t>(pairs.count());
  for (int64_t i = 0; i < pairs.count(); ++i) {
    const auto [rows, columns] = pairs.shape(i);
    for (const char letter : pairs.name(i)) hash = derive_seed(hash, static_cast<unsigned char>(letter));
    hash = derive_seed(derive_seed(hash, static_cast<uint64_t>(rows)), static_cast<uint64_t>(columns));
  }
  return fmt::format("{} slices {:016x}", pairs.count(), hash);
}

}  // namespace lucivox
