#pragma once

#include <atomic>
#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include <lucivox/base/config.h>
#include <lucivox/base/files.h>
#include <lucivox/base/stop.h>
#include <lucivox/base/terminal.h>

namespace lucivox {

// What every command is given besides its own options.
struct Context {
  Terminal terminal;
  StopToken stop;
  bool json = false;
  std::string device = "cpu";
  int threads = 0;  // 0: all cores
};

// Flags that several commands share.
struct Flags {
  bool json = false;    // it reports numbers
  bool device = false;  // it computes on a device of choice
};

// Adds a command; `body` runs once its options are parsed, and gives the exit code.
CLI::App* add_command(CLI::App& app, Context& context, const std::string& name, const std::string& what,
                      const Flags& flags, const std::function<int()>& body);

// --overwrite, for a command whose output may be a folder. `output` must outlive the command.
void add_overwrite(CLI::App& command, Output& output);

// To standard output: `json` itself with --json, else `text`.
void print(const Context& context, const Json& json, const std::string& text);

// The exit code of a command that ended because it was asked to stop: the shell's for Ctrl-C.
inline constexpr int kStopped = 130;

// One function a command; each adds itself to the application.
void add_demo(CLI::App& app, Context& context);
void add_simulate(CLI::App& app, Context& context);
void add_train(CLI::App& app, Context& context);
void add_enhance(CLI::App& app, Context& context);
void add_reconstruct(CLI::App& app, Context& context);
void add_evaluate(CLI::App& app, Context& context);
void add_prune(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_info(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);

}  // namespace lucivox
