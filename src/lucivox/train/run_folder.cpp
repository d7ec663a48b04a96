#include <sstream>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

fs::path marker(const fs::path& run) {
  return run / "run.json";
}
fs::path metrics_file(const fs::path& run) {
  return run / "metrics.jsonl";
}

void require_run(const fs::path& path) {
  require_exists(path, "run folder");
  if (!RunFolder::is_run(path))
    throw Error::misuse(path.string() + " is not a run folder",
                        "give the folder of an earlier run, or leave out --resume");
}

// What run.json holds.
Json about_run(const fs::path& path) {
  require_run(path);
  const Json about = Json::parse(read_file(marker(path)), nullptr, false);
  if (!about.is_object() || !about.contains("configuration"))
    throw Error(marker(path).string() + " is damaged", "start the run again in another folder");
  return about;
}

void record_scalars(EventWriter& events, const std::string& prefix, int64_t step, const Json& numbers) {
  for (const auto& [key, value] : numbers.items()) {
    if (value.is_number_float()) events.scalar(prefix + key, step, value.get<double>());
  }
}

}  // namespace

RunFolder RunFolder::create(const fs::path& path, const Json& configuration) {
  if (is_run(path)) {
    throw Error::misuse(path.string() + " already holds a run",
                        "continue it with --resume, or choose another run folder (--run)");
  }
  return restart(path, configuration);
}

RunFolder RunFolder::restart(const fs::path& path, const Json& configuration) {
  create_folder(path / "checkpoints");
  fs::remove(metrics_file(path));
  const Json about = {{"version", version()}, {"started", utc_now()}, {"configuration", configuration}};
  write_file(marker(path), about.dump(2) + "\n");
  return {path, EventWriter(path)};
}

RunFolder RunFolder::resume(const fs::path& path, const Json& configuration) {
  if (!fs::exists(checkpoint_of(path))) {
    require_run(path);
    throw Error(path.string() + " has no checkpoint yet", "it has to begin anew");
  }
  Json about = about_run(path);
  about["resumed"] = utc_now();
  about["configuration"] = configuration;
  write_file(marker(path), about.dump(2) + "\n");
  return {path, EventWriter(path)};
}

bool RunFolder::is_run(const fs::path& path) {
  return fs::exists(marker(path));
}

Json RunFolder::configuration_of(const fs::path& path) {
  return about_run(path).at("configuration");
}

RunRecords RunFolder::records_of(const fs::path& path) {
  RunRecords records;
  if (!fs::exists(metrics_file(path))) return records;
  std::istringstream text(read_file(metrics_file(path)));
  for (std::string line; std::getline(text, line);) {
    // a run that was killed while it wrote leaves half a line
    if (auto record = record_from_json(Json::parse(line, nullptr, false)))
      records.push_back(std::move(*record));
  }
  return records;
}

fs::path RunFolder::checkpoint_of(const fs::path& path) {
  return path / "checkpoints" / "last.safetensors";
}

fs::path RunFolder::dense_checkpoint_of(const fs::path& path) {
  return path / "checkpoints" / "dense.safetensors";
}

fs::path RunFolder::best_of(const fs::path& path) {
  return path / "checkpoints" / "best.safetensors";
}

fs::path RunFolder::dense_best_of(const fs::path& path) {
  return path / "checkpoints" / "best-dense.safetensors";
}

fs::path RunFolder::model_of(const fs::path& path) {
  return path / "model.safetensors";
}

fs::path RunFolder::dense_model_of(const fs::path& path) {
  return path / "model-dense.safetensors";
}

void RunFolder::record(const RunRecord& record) {
  if (!events_) return;
  const Json line = to_json(record);
  append_file(metrics_file(path_), line.dump() + "\n");
  const auto kind = line.at("kind").get<std::string>();
  record_scalars(*events_, kind + "/", step_of(record), line);
  if (line.contains("validation"))
    record_scalars(*events_, "validation/", step_of(record), line.at("validation"));
}

void RunFolder::forget_after(int64_t step) {
  if (!events_) return;
  std::string kept;
  for (const RunRecord& record : records()) {
    if (step_of(record) <= step) kept += to_json(record).dump() + "\n";
  }
  write_file(metrics_file(path_), kept);
}

}  // namespace lucivox
