#pragma once

#include <optional>
#include <string>

#include <c10/core/Device.h>

#include <lucivox/train/ranks.h>

namespace lucivox {

// What this process was told about those that it trains with.
struct RankPlace {
  int rank = 0, size = 1;
  int local = 0;  // among those on this machine
  std::string host = "127.0.0.1";
  int port = 0;  // on host, where rank 0 is met
};

// By the variables of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), or else of a Slurm
// step (srun); nothing when there are none. They are read nowhere else. Throws Error (misuse) when they
// contradict themselves.
std::optional<RankPlace> rank_place();

// Meets the others: Gloo between CPUs, NCCL between GPUs. Throws Error when not all come in time, or the port
// is taken.
Ranks join_ranks(const RankPlace& place, c10::Device device);

}  // namespace lucivox
