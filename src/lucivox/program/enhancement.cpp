#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/version.h>
#include <lucivox/image/formats/open.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/program/enhancement.h>
#include <lucivox/program/image_files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

void enhance_file(Model& model, const fs::path& in, const fs::path& out, const Console& console,
                  const StopToken& stop) {
  const auto source = open(in);
  const Units units = source->info().units, of_model = model.intensity.units;
  if (units != of_model && units != Units::Unknown && of_model != Units::Unknown) {
    throw Error(fmt::format("{} holds values in {}, the model was trained on {}", in.string(),
                            to_string(units), to_string(of_model)),
                "convert it first, or take a model of its units");
  }
  if (units == Units::Unknown && of_model != Units::Unknown)
    console.note(in.string() + " does not tell its units: taken as those of the model");
  const auto sink = create(out, source->info(),
                           {fmt::format("Enhanced by lucivox {} with model {} ({})", version(), model.name,
                                        model.network.graph().architecture())});
  enhance(model, *source, *sink, console, stop);
  sink->commit();
}

}  // namespace

void enhance_files(Model& model, const fs::path& in, const fs::path& out, const Console& console,
                   const StopToken& stop) {
  require_exists(in, "image");
  if (!fs::is_directory(in) || !holds_single_images(in)) return enhance_file(model, in, out, console, stop);
  create_folder(out);
  for (const fs::path& image : images_in(in))
    enhance_file(model, image, out / image.filename(), console, stop);
}

}  // namespace lucivox
