#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace lucivox::bench {

// Our side of a benchmark: a process that harness.py starts as `PROGRAM FOLDER THREADS` and that does, line
// by line, what it is told on standard input. See README.md for the protocol.

// Reads the arguments and sets the number of threads; returns the folder through which both sides exchange
// tensors. Throws Error (misuse).
std::filesystem::path start(int argc, char** argv);

using Commands = std::map<std::string, std::function<void()>>;

// Announces itself, then runs and times commands until standard input ends. `units`: of work in a step, where
// the sides do not do the same amount.
void serve(const Commands& commands, double units = 1);

// The wall-clock seconds that `body` takes.
double seconds_of(const std::function<void()>& body);

// Runs `body` with tensor memory kept, and returns the program's exit status; an exception is printed as an
// error.
int guarded_main(const std::function<void()>& body);

}  // namespace lucivox::bench
