#include "worker.h"

#include <chrono>
#include <exception>
#include <iostream>

#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <lucivox/base/config.h>
#include <lucivox/base/error.h>
#include <lucivox/base/parallel.h>
#include <lucivox/base/version.h>
#include <lucivox/exec/memory.h>

namespace lucivox::bench {
namespace {

void say(const std::string& line) {
  std::cout << line << std::endl;
}

}  // namespace

double seconds_of(const std::function<void()>& body) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  body();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::filesystem::path start(int argc, char** argv) {
  const int count = argc == 3 ? std::atoi(argv[2]) : 0;
  if (count < 1) throw Error::misuse("usage: PROGRAM FOLDER THREADS", "./run bench starts this program");
  set_threads(count);
  return argv[1];
}

void serve(const Commands& commands, double units) {
  const Json about{{"lucivox", version()},
                   {"libtorch", TORCH_VERSION},
                   {"compiler", __VERSION__},
                   {"threads", threads()},
                   {"units", units}};
  say("ready " + about.dump());
  for (std::string name; std::getline(std::cin, name);) {
    const auto command = commands.find(name);
    if (command == commands.end()) throw Error::misuse(fmt::format("unknown command '{}'", name));
    say(fmt::format("ok {:.9f}", seconds_of(command->second)));
  }
}

int guarded_main(const std::function<void()>& body) {
  try {
    keep_tensor_memory();  // as the command does
    body();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace lucivox::bench
