#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/program/rank_launcher.h>

namespace lucivox {
namespace {

constexpr std::chrono::seconds kGrace{10};  // to tell why one ends
constexpr std::chrono::milliseconds kLook{20};

int free_port() {
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool found =
      server >= 0 && ::bind(server, any, length) == 0 && ::getsockname(server, any, &length) == 0;
  if (server >= 0) ::close(server);
  if (!found) throw Error(fmt::format("no free port for ranks to meet ({})", std::strerror(errno)));
  return ntohs(address.sin_port);
}

std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline");
  std::vector<std::string> arguments;
  for (std::string argument; std::getline(file, argument, '\0');) arguments.push_back(argument);
  return arguments;
}

pid_t start(int rank, int ranks, int port) {
  std::vector<std::string> arguments = own_arguments();
  const int each = std::max(1, threads() / ranks);
  arguments.insert(arguments.end(), {"--threads", std::to_string(each)});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const std::vector<std::pair<const char*, int>> variables{{"RANK", rank},
                                                           {"WORLD_SIZE", ranks},
                                                           {"LOCAL_RANK", rank},
                                                           {"MASTER_PORT", port},
                                                           {"OMP_NUM_THREADS", each}};
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) throw Error(fmt::format("rank {} could not be started ({})", rank, std::strerror(errno)));
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // no rank outlives its command
  if (::getppid() != parent) ::_exit(1);
  for (const auto& [name, value] : variables) ::setenv(name, std::to_string(value).c_str(), 1);
  ::setenv("MASTER_ADDR", "127.0.0.1", 1);
  ::execv("/proc/self/exe", pointers.data());
  ::_exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

class Group {
 public:
  explicit Group(int ranks) {
    const int port = free_port();
    for (int rank = 0; rank < ranks; ++rank) running_.push_back(start(rank, ranks, port));
  }

  int wait(const StopToken& stop) {
    bool told_to_stop = false;
    while (!running_.empty()) {
      collect();
      if (stop.stop_requested() && !told_to_stop) {
        signal_all(SIGTERM);
        told_to_stop = true;
      }
      if (first_failure_ != 0 && Clock::now() > give_up_) signal_all(SIGKILL);
      std::this_thread::sleep_for(kLook);
    }
    return first_failure_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void collect() {
    std::erase_if(running_, [&](pid_t rank) {
      int status = 0;
      if (::waitpid(rank, &status, WNOHANG) != rank) return false;
      if (first_failure_ == 0 && exit_code(status) != 0) {
        first_failure_ = exit_code(status);
        give_up_ = Clock::now() + kGrace;
      }
      return true;
    });
  }

  void signal_all(int signal) const {
    for (const pid_t rank : running_) ::kill(rank, signal);
  }

  std::vector<pid_t> running_;
  int first_failure_ = 0;
  Clock::time_point give_up_;
};

}  // namespace

int run_as_ranks(int ranks, const StopToken& stop) {
  return Group(ranks).wait(stop);
}

}  // namespace lucivox
