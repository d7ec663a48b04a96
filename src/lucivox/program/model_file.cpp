#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/program/model_file.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {

fs::path model_file(const fs::path& path, const Console& console) {
  require_exists(path, "model file");
  if (!fs::is_directory(path)) return path;
  if (!RunFolder::is_run(path))
    throw Error::misuse(path.string() + " is not the folder of a training run",
                        "give a model.safetensors, or a folder that `lucivox train --run` has made");
  if (fs::exists(RunFolder::model_of(path))) return RunFolder::model_of(path);
  if (!fs::exists(RunFolder::best_of(path)))
    throw Error(path.string() + " has no trained weights yet",
                "let the run validate at the end of an epoch, or finish it: lucivox train ... --resume");
  console.note(fmt::format("{} has not finished: its best weights so far are used", path.string()));
  return RunFolder::best_of(path);
}

}  // namespace lucivox
