#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lucivox {

// What running the command gave.
struct Outcome {
  int code = 0;  // exit code; 128 + signal when one ended it
  std::string out, error;
};

// Runs `lucivox ARGUMENTS...` to its end, in `folder` when given.
Outcome run_command(const std::vector<std::string>& arguments, const std::filesystem::path& folder = {});

// Starts it and gives its process, to be signalled and waited for.
pid_t start_command(const std::vector<std::string>& arguments);
int wait_for(pid_t process);
// Waits until `holds`; false when the process ended before, or two minutes are over.
bool wait_until(pid_t process, const std::function<bool()>& holds);

// `lucivox train ddnet` by folder/ddnet.toml into folder/run, with `more` behind.
std::vector<std::string> train_arguments(const std::filesystem::path& folder, const std::string& run,
                                         int threads, const std::vector<std::string>& more);

// Whether this is how the command reports what it cannot do: exit code 1 or 2, one "error:" line, then
// "hint:".
bool is_clear_error(const Outcome& outcome);

}  // namespace lucivox
