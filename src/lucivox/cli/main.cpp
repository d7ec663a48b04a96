// The lucivox command: parses, calls, reports errors. What it does lives in program/ and below.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <new>

#include <c10/util/Exception.h>
#include <unistd.h>

#include <lucivox/base/error.h>
#include <lucivox/base/memory.h>
#include <lucivox/base/version.h>
#include <lucivox/cli/command.h>
#include <lucivox/exec/memory.h>
#include <lucivox/program/device.h>

namespace {

std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");

// The first signal asks to stop with the work saved; the second one ends at once.
void request_stop(int signal) {
  stop_requested = true;
  std::signal(signal, SIG_DFL);
}

// Threads that wait for one another spin for milliseconds before they sleep: when other programs share the
// cores, a training step then takes ten times as long, and on idle cores spinning gains nothing measurable.
// libgomp reads this once, when it is loaded, so the program starts itself again.
void wait_without_spinning(char** arguments) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  ::setenv("GOMP_SPINCOUNT", "1000", 1);
  ::execv("/proc/self/exe", arguments);
}

int report(const std::string& error, const std::string& hint, int code) {
  std::cerr << "error: " << error << '\n';
  if (!hint.empty()) std::cerr << "hint: " << hint << '\n';
  return code;
}

int run(int count, char** arguments) {
  lucivox::keep_tensor_memory();
  lucivox::Context context;
  context.stop = lucivox::StopToken(stop_requested);
  CLI::App app("lucivox: makes poor tomographic and biomedical images good, fast. Research use only.",
               "lucivox");
  app.set_version_flag("--version", "lucivox " + lucivox::version());
  app.require_subcommand(1);
  lucivox::add_demo(app, context);
  lucivox::add_simulate(app, context);
  lucivox::add_train(app, context);
  lucivox::add_enhance(app, context);
  lucivox::add_reconstruct(app, context);
  lucivox::add_evaluate(app, context);
  lucivox::add_prune(app, context);
  lucivox::add_import(app, context);
  lucivox::add_info(app, context);
  lucivox::add_doctor(app, context);
  try {
    app.parse(count, arguments);
    return 0;
  } catch (const CLI::RuntimeError& ended) {
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return report(error.what(), "`lucivox --help` and `lucivox COMMAND --help` tell what there is", 2);
  }
}

}  // namespace

int main(int count, char** arguments) {
  wait_without_spinning(arguments);
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  try {
    return run(count, arguments);
  } catch (const lucivox::Error& error) {
    return report(error.what(), error.hint(), stop_requested ? lucivox::kStopped : error.exit_code());
  } catch (const std::bad_alloc&) {
    return report("out of memory", lucivox::kOutOfMemoryHint, 1);
  } catch (const c10::OutOfMemoryError& error) {
    return report(lucivox::gpu_out_of_memory(error.what()), lucivox::kOutOfMemoryHint, 1);
  } catch (const std::exception& error) {
    // libtorch's messages carry a stack trace behind the first line
    const std::string what = error.what();
    return report(what.substr(0, what.find('\n')),
                  "this may be a fault of lucivox itself: please report it with the command that led here",
                  1);
  }
}
