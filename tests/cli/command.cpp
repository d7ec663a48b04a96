#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <tests/cli/command.h>
#include <unistd.h>

namespace lucivox {
namespace {

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void redirect(int descriptor, const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(file, descriptor);
}

pid_t start(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
            const std::filesystem::path& out, const std::filesystem::path& error) {
  std::vector<std::string> words{LUCIVOX_COMMAND};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child != 0) return child;
  redirect(STDOUT_FILENO, out);
  redirect(STDERR_FILENO, error);
  if (!folder.empty() && ::chdir(folder.c_str()) != 0) ::_exit(126);
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

}  // namespace

pid_t start_command(const std::vector<std::string>& arguments) {
  return start(arguments, {}, "/dev/null", "/dev/null");
}

int wait_for(pid_t process) {
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool wait_until(pid_t process, const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (!holds()) {
    siginfo_t ended{};
    ::waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOHANG | WNOWAIT);
    if (ended.si_pid != 0 || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

Outcome run_command(const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
  const auto base = std::filesystem::temp_directory_path() / fmt::format("lucivox-command-{}", ::getpid());
  const auto out = base.string() + ".out", error = base.string() + ".error";
  Outcome outcome;
  outcome.code = wait_for(start(arguments, folder, out, error));
  outcome.out = contents(out);
  outcome.error = contents(error);
  std::filesystem::remove(out);
  std::filesystem::remove(error);
  return outcome;
}

bool is_clear_error(const Outcome& outcome) {
  std::istringstream lines(outcome.error);
  int errors = 0, hints = 0;
  for (std::string line; std::getline(lines, line);) {
    errors += line.starts_with("error: ") ? 1 : 0;
    hints += line.starts_with("hint: ") ? 1 : 0;
  }
  return (outcome.code == 1 || outcome.code == 2) && errors == 1 && hints == 1;
}

std::vector<std::string> train_arguments(const std::filesystem::path& folder, const std::string& run,
                                         int threads, const std::vector<std::string>& more) {
  std::vector<std::string> arguments{"train",     "ddnet",
                                     "--config",  (folder / "ddnet.toml").string(),
                                     "--run",     (folder / run).string(),
                                     "--threads", std::to_string(threads)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

}  // namespace lucivox
