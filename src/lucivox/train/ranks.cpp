#include <algorithm>
#include <cstring>

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/train/rank_group.h>
#include <lucivox/train/ranks.h>

namespace lucivox {
namespace {

// What host memory sends by way of a GPU, which may have no room for all of it: 64 MB in float32.
constexpr int64_t kPiece = int64_t{1} << 24;

// Runs what talks to the other ranks.
template <typename Talk>
void with_others(int64_t rank, const Talk& talk) {
  try {
    talk();
  } catch (const std::exception& error) {
    const std::string text = error.what();
    throw Error(fmt::format("rank {} lost another one ({})", rank, text.substr(0, text.find('\n'))),
                "look at what the others said; resume from the last checkpoint, with any number of ranks");
  }
}

// Summed by each rank itself, in their order, so that all get the same bits.
void sum_on(SharedBoard& board, const at::Tensor& values) {
  const auto all = board.exchange({static_cast<const std::byte*>(values.const_data_ptr()), values.nbytes()});
  std::vector<at::Tensor> told;
  for (const auto& bytes : all)
    told.push_back(at::from_blob(const_cast<std::byte*>(bytes.data()), values.sizes(), values.options()));
  values.copy_(told[0]);
  for (size_t rank = 1; rank < told.size(); ++rank) values.add_(told[rank]);
}

}  // namespace

int64_t Ranks::rank() const {
  return group_ ? group_->backend().getRank() : 0;
}

int64_t Ranks::size() const {
  return group_ ? group_->backend().getSize() : 1;
}

void Ranks::sum(const at::Tensor& values) const {
  SharedBoard* board = group_ ? group_->board() : nullptr;
  if (board != nullptr && values.nbytes() <= SharedBoard::kBytes) {
    with_others(rank(), [&] { sum_on(*board, values); });
  } else {
    sum_later(values)();
  }
}

std::function<void()> Ranks::sum_later(const at::Tensor& values) const {
  if (!group_) return [] {};
  c10::intrusive_ptr<c10d::Work> work;
  std::vector<at::Tensor> all{values};
  with_others(rank(), [&] { work = group_->backend().allreduce(all); });
  return [work, rank = rank()] { with_others(rank, [&] { work->wait(); }); };
}

void Ranks::broadcast(const at::Tensor& values, int64_t from) const {
  if (!group_ || values.numel() == 0) return;
  c10d::BroadcastOptions options;
  options.rootRank = from;
  const auto talk = [&](const at::Tensor& of_device) {
    std::vector<at::Tensor> all{of_device};
    with_others(rank(), [&] { group_->backend().broadcast(all, options)->wait(); });
  };
  if (values.device() == group_->device()) return talk(values);
  for (const at::Tensor& piece : values.flatten().split(kPiece)) {
    const at::Tensor passing = piece.to(group_->device());
    talk(passing);
    if (rank() != from) piece.copy_(passing);
  }
}

std::vector<std::string> Ranks::gather(const std::string& text) const {
  if (!group_) return {text};
  const at::TensorOptions integers = at::TensorOptions().dtype(at::kLong).device(group_->device());
  const at::Tensor lengths = at::zeros({size()}, integers);
  lengths[rank()].fill_(static_cast<int64_t>(text.size()));
  sum(lengths);
  const at::Tensor host_lengths = lengths.cpu();
  const auto* length = host_lengths.const_data_ptr<int64_t>();
  const at::Tensor letters = at::zeros({size(), *std::max_element(length, length + size())},
                                       integers.device(at::kCPU).dtype(at::kByte));
  std::memcpy(letters[rank()].mutable_data_ptr(), text.data(), text.size());
  const at::Tensor shared = letters.to(group_->device());
  sum(shared);
  const at::Tensor all = shared.cpu();
  std::vector<std::string> texts;
  for (int64_t r = 0; r < size(); ++r) {
    texts.emplace_back(static_cast<const char*>(all[r].const_data_ptr()), static_cast<size_t>(length[r]));
  }
  return texts;
}

void require_agreement(const Ranks& ranks, const std::string& subject, const std::string& mine) {
  const std::vector<std::string> all = ranks.gather(mine);
  for (size_t r = 1; r < all.size(); ++r) {
    if (all[r] != all[0]) {
      throw Error(
          fmt::format("ranks differ in {}: rank 0 has {}, rank {} has {}", subject, all[0], r, all[r]),
          "give every rank the same files, options and version of lucivox");
    }
  }
}

}  // namespace lucivox
