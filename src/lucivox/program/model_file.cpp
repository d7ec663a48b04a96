#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/program/model_file.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {

namespace {

// Whether the last of its epochs is done: a run may have been resumed for more of them.
bool has_ended(const fs::path& run) {
  const Json configuration = RunFolder::configuration_of(run);
  const auto epochs = of_kind<EpochRecord>(RunFolder::records_of(run));
  const int64_t done = epochs.empty() ? 0 : epochs.back().epoch + 1;
  return done >= configuration.at("train").at("epochs").get<int64_t>();
}

}  // namespace

fs::path model_file(const fs::path& path, Reporter& reporter) {
  require_exists(path, "model file");
  if (!fs::is_directory(path)) return path;
  if (!RunFolder::is_run(path))
    throw Error::misuse(path.string() + " is not the folder of a training run",
                        "give a model.safetensors, or a folder that `lucivox train --run` has made");
  if (fs::exists(RunFolder::model_of(path)) && has_ended(path)) return RunFolder::model_of(path);
  for (const fs::path& so_far :
       {RunFolder::best_of(path), RunFolder::dense_model_of(path), RunFolder::dense_best_of(path)}) {
    if (!fs::exists(so_far)) continue;
    reporter.note(fmt::format("{} has not finished: its best weights so far are used", path.string()));
    return so_far;
  }
  throw Error(path.string() + " has no trained weights yet",
              "let the run validate at the end of an epoch, or finish it: lucivox train ... --resume");
}

}  // namespace lucivox
