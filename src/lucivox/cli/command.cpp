#include <iostream>

#include <lucivox/cli/command.h>
#include <lucivox/program/device.h>

namespace lucivox {

CLI::App* add_command(CLI::App& app, Context& context, const std::string& name, const std::string& what,
                      const Flags& flags, const std::function<int()>& body) {
  CLI::App* command = app.add_subcommand(name, what);
  command->add_flag("--quiet", context.terminal.quiet, "no progress bars and notes");
  command->add_option("--threads", context.threads, "threads to compute with; all cores unless told")
      ->check(CLI::Range(1, 1024))
      ->take_last();  // ranks are started with their share behind it
  if (flags.json) command->add_flag("--json", context.json, "results as JSON");
  if (flags.device)
    command->add_option("--device", context.device, "cpu, cuda or cuda:N")->capture_default_str();
  command->callback([&context, body] {
    if (context.threads > 0) use_threads(context.threads);
    if (const int code = body(); code != 0) throw CLI::RuntimeError(code);
  });
  return command;
}

void add_overwrite(CLI::App& command, Output& output) {
  command.add_flag_callback(
      "--overwrite", [&output] { output.existing = Existing::Replace; },
      "replace everything in OUT when it is a folder that is not empty");
}

void print(const Context& context, const Json& json, const std::string& text) {
  std::cout << (context.json ? json.dump(2) : text) << '\n' << std::flush;
}

}  // namespace lucivox
