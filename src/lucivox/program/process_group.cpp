#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <system_error>

#define USE_C10D_GLOO
#include <fmt/format.h>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <lucivox/base/error.h>
#include <lucivox/program/nccl.h>
#include <lucivox/program/process_group.h>
#include <lucivox/train/rank_group.h>

namespace lucivox {
namespace {

constexpr std::chrono::minutes kMeeting{2};  // for all to come
constexpr std::chrono::minutes kPatience{
    30};  // with a rank that says nothing: it may have more slices to stage

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

int number(const char* name) {
  const std::string text = variable(name).value_or("");
  int value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || value < 0) {
    throw Error::misuse(fmt::format("{} = '{}' is no number of a rank", name, text),
                        "start by torchrun, srun, or lucivox train --ranks N, which set all that is needed");
  }
  return value;
}

// "node[03-07,09]" and "node03,node04" begin with node03.
std::string first_host(const std::string& list) {
  const size_t bracket = list.find('['), comma = list.find(',');
  if (bracket == std::string::npos || comma < bracket) return list.substr(0, comma);
  const size_t end = list.find_first_of("-,]", bracket);
  return list.substr(0, bracket) + list.substr(bracket + 1, end - bracket - 1);
}

int master_port() {
  constexpr int last_port = 65535;
  const int port = number("MASTER_PORT");
  if (port > last_port)
    throw Error::misuse(fmt::format("MASTER_PORT = {} is no port", port), "ports end at 65535");
  return port;
}

RankPlace by_torchrun() {
  RankPlace place{number("RANK"), number("WORLD_SIZE"), 0, {}, master_port()};
  place.local = variable("LOCAL_RANK") ? number("LOCAL_RANK") : place.rank;
  place.host = variable("MASTER_ADDR").value_or("127.0.0.1");
  return place;
}

RankPlace by_slurm() {
  constexpr int first_port = 20000, ports = 20000;
  const int port = variable("MASTER_PORT") ? master_port() : first_port + number("SLURM_JOB_ID") % ports;
  return {number("SLURM_PROCID"), number("SLURM_STEP_NUM_TASKS"), number("SLURM_LOCALID"),
          first_host(variable("SLURM_STEP_NODELIST").value_or("127.0.0.1")), port};
}

bool here(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost";
}

c10::intrusive_ptr<c10d::Backend> gloo(const c10::intrusive_ptr<c10d::Store>& store, const RankPlace& place) {
  const auto options = c10d::ProcessGroupGloo::Options::create(kPatience);
  options->devices.push_back(here(place.host) ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                              : c10d::ProcessGroupGloo::createDefaultDevice());
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, place.rank, place.size, options);
}

// Which processes can see each other: those with the same numbers for processes. On another machine there may
// be the same number, but not the board.
std::string neighbourhood() {
  std::error_code unknown;
  return std::filesystem::read_symlink("/proc/self/ns/pid", unknown).string();
}

// The board of all ranks when they are on one machine, else nothing.
std::optional<SharedBoard> board_of(const Ranks& ranks) {
  const auto rank = static_cast<int>(ranks.rank()), size = static_cast<int>(ranks.size());
  std::optional<SharedBoard> board;
  const auto attempt = [&](const auto& make) {
    try {
      board.emplace(make());
    } catch (const std::system_error&) {
      board.reset();  // messages do as well
    }
  };
  std::random_device entropy;
  const std::string mine = fmt::format("lucivox-{:08x}{:08x}", entropy(), entropy());
  if (ranks.leads()) attempt([&] { return SharedBoard::create(mine, rank, size); });
  const std::string name = ranks.gather(mine)[0];
  if (!ranks.leads()) attempt([&] { return SharedBoard::open(name, rank, size); });
  const std::vector<std::string> seen = ranks.gather(board ? neighbourhood() : "");
  if (ranks.leads()) SharedBoard::forget(name);
  const bool together = std::all_of(seen.begin(), seen.end(),
                                    [&](const std::string& one) { return !one.empty() && one == seen[0]; });
  return together ? std::move(board) : std::nullopt;
}

}  // namespace

std::optional<RankPlace> rank_place() {
  std::optional<RankPlace> place;
  if (variable("RANK") && variable("WORLD_SIZE")) {
    place = by_torchrun();
  } else if (variable("SLURM_STEP_NUM_TASKS") && variable("SLURM_PROCID")) {
    place = by_slurm();
  }
  if (!place || place->size == 1) return std::nullopt;
  if (place->rank >= place->size)
    throw Error::misuse(fmt::format("rank {} of {}", place->rank, place->size), "ranks are counted from 0");
  return place;
}

Ranks join_ranks(const RankPlace& place, c10::Device device) {
  try {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(place.port);
    options.isServer = place.rank == 0;
    options.numWorkers = static_cast<size_t>(place.size);
    options.timeout = kMeeting;
    const auto store = c10::make_intrusive<c10d::TCPStore>(place.host, options);
    if (!device.is_cpu()) {
      const auto group = nccl(store, device, place.rank, place.size, kPatience);
      return Ranks(std::make_shared<Ranks::Group>(group, device));
    }
    const auto group = gloo(store, place);
    const Ranks by_messages(std::make_shared<Ranks::Group>(group, device));
    return Ranks(std::make_shared<Ranks::Group>(group, device, board_of(by_messages)));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    const std::string text = error.what();
    throw Error(fmt::format("rank {} of {} did not find the others at {} port {} ({})", place.rank,
                            place.size, place.host, place.port, text.substr(0, text.find('\n'))),
                "all ranks must be started within 2 minutes, and the port must be free: set MASTER_PORT");
  }
}

}  // namespace lucivox
