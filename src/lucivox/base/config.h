#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <lucivox/base/error.h>

namespace lucivox {

using Json = nlohmann::ordered_json;

// Fills an options struct from one table of a configuration. Keys that are absent keep the struct's
// default; a value of the wrong type and a key that nobody read are errors, the latter with the nearest
// known key as a hint.
//
//   ConfigTable table(json, "train");
//   table.read("epochs", options.epochs);
//   table.finish();
class ConfigTable {
 public:
  // `json` must be an object (or null for an empty one); `path` is shown in errors.
  ConfigTable(const Json& json, std::string path);

  template <typename T>
  void read(const std::string& key, T& value) {
    known_.push_back(key);
    if (!json_.contains(key)) return;
    try {
      value = json_.at(key).get<T>();
    } catch (const nlohmann::json::exception&) {
      throw wrong_type(key);
    }
    check_number(key, value);
  }
  // A nested table; empty when absent.
  Json table(const std::string& key);
  // Throws Error (misuse) when a key was never read.
  void finish() const;

 private:
  template <typename T>
  void check_number(const std::string& key, const T&) const {
    // nlohmann converts 1.5 and true to an integer without complaint
    if constexpr (std::is_same_v<T, bool>) {
      if (!json_.at(key).is_boolean()) throw wrong_type(key);
    } else if constexpr (std::is_integral_v<T>) {
      if (!json_.at(key).is_number_integer()) throw wrong_type(key);
      if (std::is_unsigned_v<T> && json_.at(key) < 0) throw wrong_type(key);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!json_.at(key).is_number()) throw wrong_type(key);
    }
  }
  Error wrong_type(const std::string& key) const;

  Json json_;
  std::string path_;
  std::vector<std::string> known_;
};

// Sets "train.epochs=3" in a configuration: the value is read as JSON, else as a plain string. Throws Error
// (misuse) when there is no '='.
void set_value(Json& config, const std::string& assignment);

}  // namespace lucivox
