#pragma once

#include <string>

#include <lucivox/base/error.h>

namespace lucivox {

// What the Error says that `action` throws; empty when it throws none.
template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

inline bool says(const std::string& message, const std::string& words) {
  return message.find(words) != std::string::npos;
}

}  // namespace lucivox
