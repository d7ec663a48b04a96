#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/program/open_model.h>
#include <lucivox/train/run_folder.h>

namespace fs = std::filesystem;

namespace lucivox {

Model open_model(const fs::path& path, const Console& console) {
  require_exists(path, "model");
  if (!fs::is_directory(path)) return load_model(path);
  if (!RunFolder::is_run(path))
    throw Error::misuse(path.string() + " is not the folder of a training run",
                        "give a model.safetensors, or a folder that `lucivox train --run` has made");
  if (fs::exists(RunFolder::model_of(path))) return load_model(RunFolder::model_of(path));
  if (!fs::exists(RunFolder::best_of(path)))
    throw Error(path.string() + " has no trained weights yet",
                "let the run validate at the end of an epoch, or finish it: lucivox train ... --resume");
  console.note(fmt::format("{} has not finished: its best weights so far are used", path.string()));
  return load_model(RunFolder::best_of(path));
}

}  // namespace lucivox
