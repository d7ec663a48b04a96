#pragma once

#include <optional>
#include <string>

#include <lucivox/base/config.h>

namespace lucivox {

// A number for which "auto" may be written, kept as `automatic`.
template <typename Number>
struct AutoOr {
  Number& value;
  double automatic;
};

// A value that has a name in configurations.
template <typename Value, typename Named>
struct Name {
  Value& value;
  std::string (*name)(Named);
  Named (*named)(const std::string&);  // throws Error for an unknown name
};

// Structs of options list their fields once, for all who read, write and compare them:
//
//   struct LossOptions {
//     double mse = 1;
//     PerceptualOptions perceptual;
//
//     template <typename Self, typename Visitor>
//     static void fields(Self& self, Visitor& visit) {
//       visit("mse", self.mse);
//       visit.table("perceptual", self.perceptual);
//     }
//   };
//
// visit.free() is for a field that changes how something is computed but not what.
class FieldReader {
 public:
  FieldReader(const Json& json, const std::string& path) : table_(json, path), path_(path) {}

  template <typename T>
  void operator()(const char* key, T& value) {
    table_.read(key, value);
  }
  void operator()(const char* key, AutoOr<double> either);
  template <typename Value, typename Named>
  void operator()(const char* key, Name<Value, Named> of) {
    std::string name = of.name(of.value);
    table_.read(key, name);
    of.value = of.named(name);
  }
  template <typename T>
  void free(const char* key, T& value) {
    table_.read(key, value);
  }
  template <typename Options>
  void table(const char* key, Options& options) {
    FieldReader inner(table_.table(key), path_ + "." + key);
    Options::fields(options, inner);
    inner.finish();
  }
  // Those that may be absent.
  template <typename T>
  void optional(const char* key, std::optional<T>& value) {
    if (table_.has(key)) table_.read(key, value.emplace());
  }
  template <typename Options>
  void optional_table(const char* key, std::optional<Options>& options) {
    if (table_.has(key)) table(key, options.emplace());
  }
  void finish() const { table_.finish(); }

 private:
  ConfigTable table_;
  std::string path_;
};

enum class Fields { All, Decisive };  // Decisive: without the free ones

class FieldWriter {
 public:
  explicit FieldWriter(Fields which) : which_(which) {}

  template <typename T>
  void operator()(const char* key, const T& value) {
    json_[key] = value;
  }
  void operator()(const char* key, AutoOr<const double> either) {
    json_[key] = either.value == either.automatic ? Json("auto") : Json(either.value);
  }
  template <typename Value, typename Named>
  void operator()(const char* key, Name<Value, Named> of) {
    json_[key] = of.name(of.value);
  }
  template <typename T>
  void free(const char* key, const T& value) {
    if (which_ == Fields::All) json_[key] = value;
  }
  template <typename Options>
  void table(const char* key, const Options& options) {
    FieldWriter inner(which_);
    Options::fields(options, inner);
    json_[key] = inner.json();
  }
  template <typename T>
  void optional(const char* key, const std::optional<T>& value) {
    if (value) json_[key] = *value;
  }
  template <typename Options>
  void optional_table(const char* key, const std::optional<Options>& options) {
    if (options) table(key, *options);
  }
  const Json& json() const { return json_; }

 private:
  Fields which_;
  Json json_ = Json::object();
};

// Throws Error (misuse) for unknown keys and wrong types; fields whose keys are absent keep their value.
template <typename Options>
void read_fields(const Json& json, const std::string& path, Options& options) {
  FieldReader reader(json, path);
  Options::fields(options, reader);
  reader.finish();
}

template <typename Options>
Json fields_json(const Options& options, Fields which = Fields::All) {
  FieldWriter writer(which);
  Options::fields(options, writer);
  return writer.json();
}

}  // namespace lucivox
