#pragma once

#include <stdexcept>
#include <string>

namespace lucivox {

// What went wrong and what to do about it. The command prints `error: what()` and `hint: hint()` and
// exits with exit_code(). Anything from outside (files, flags, data) is reported with this type;
// a broken promise inside is an assertion.
class Error : public std::runtime_error {
 public:
  enum class Kind {
    Failure,  // the input or the machine cannot do it: exit code 1
    Misuse,   // the request itself is wrong (flags, configuration): exit code 2
  };

  explicit Error(const std::string& what, std::string hint = {}, Kind kind = Kind::Failure);

  static Error misuse(const std::string& what, std::string hint = {});

  const std::string& hint() const { return hint_; }
  int exit_code() const { return kind_ == Kind::Misuse ? 2 : 1; }

 private:
  std::string hint_;
  Kind kind_;
};

// Throws Error (misuse) unless `sound`.
inline void require(bool sound, const std::string& what, const std::string& hint) {
  if (!sound) throw Error::misuse(what, hint);
}

}  // namespace lucivox
