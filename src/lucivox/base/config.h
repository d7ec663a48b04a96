#pragma once

#include <algorithm>
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
      throw wrong_type(key, kind(value));
    }
    if (!fits(json_.at(key), value)) throw wrong_type(key, kind(value));
  }
  bool has(const std::string& key) const { return json_.contains(key); }
  // A nested table; empty when absent.
  Json table(const std::string& key);
  // Throws Error (misuse) when a key was never read.
  void finish() const;

 private:
  // nlohmann converts 1.5 and true to an integer without complaint.
  template <typename T>
  static bool fits(const Json& json, const T&) {
    if constexpr (std::is_same_v<T, bool>) return json.is_boolean();
    if constexpr (std::is_floating_point_v<T>) return json.is_number();
    if constexpr (std::is_integral_v<T>)
      return json.is_number_integer() && (std::is_signed_v<T> || json >= 0);
    return true;
  }
  template <typename T>
  static bool fits(const Json& json, const std::vector<T>&) {
    return std::all_of(json.begin(), json.end(), [](const Json& one) { return fits(one, T{}); });
  }
  // What to write instead.
  template <typename T>
  static std::string kind(const T&) {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    if constexpr (std::is_floating_point_v<T>) return "a number";
    if constexpr (std::is_integral_v<T>) return "a whole number";
    return "text";
  }
  template <typename T>
  static std::string kind(const std::vector<T>&) {
    return "a list, each " + kind(T{});
  }
  Error wrong_type(const std::string& key, const std::string& kind) const;

  Json json_;
  std::string path_;
  std::vector<std::string> known_;
};

// Sets "train.epochs=3" in a configuration: the value is read as JSON, else as a plain string. Throws Error
// (misuse) when there is no '='.
void set_value(Json& config, const std::string& assignment);

}  // namespace lucivox
