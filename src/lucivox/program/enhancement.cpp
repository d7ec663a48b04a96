#include <memory>
#include <utility>
#include <vector>

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/version.h>
#include <lucivox/image/formats/folder.h>
#include <lucivox/image/formats/open.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/program/enhancement.h>
#include <lucivox/program/image_files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// Tells where the image does not.
void require_units(const Model& model, const ImageInfo& info, const std::string& image,
                   const Console& console) {
  const Units units = info.units, of_model = model.intensity.units;
  if (units != of_model && units != Units::Unknown && of_model != Units::Unknown) {
    throw Error(fmt::format("{} holds values in {}, the model was trained on {}", image, to_string(units),
                            to_string(of_model)),
                "convert it first, or take a model of its units");
  }
  if (units == Units::Unknown && of_model != Units::Unknown)
    console.note(image + " does not tell its units: taken as those of the model");
}

std::unique_ptr<ImageSink> create_enhanced(const Model& model, const Output& out, const ImageInfo& info) {
  return create(out.path, info,
                {fmt::format("Enhanced by lucivox {} with model {} ({})", version(), model.name,
                             model.network.graph().architecture())},
                out.existing);
}

// Images of one slice that lie side by side in a folder, as the stack that they are; each is opened when it
// is read.
class Stack final : public ImageSource {
 public:
  Stack(fs::path folder, std::vector<fs::path> images)
      : folder_(std::move(folder)), images_(std::move(images)), info_(open(images_.front())->info()) {
    for (const fs::path& image : images_) {
      if (open(image)->info().shape == info_.shape) continue;
      throw Error(image.string() + " differs in size from " + images_.front().filename().string(),
                  "the model reads adjacent slices: keep those of one stack in a folder");
    }
    info_.shape[0] = std::ssize(images_);
  }

  const ImageInfo& info() const override { return info_; }
  std::string name() const override { return folder_.string(); }
  const fs::path& image(int64_t z) const { return images_[static_cast<size_t>(z)]; }

  at::Tensor read(const Region& region) override {
    std::vector<at::Tensor> slices;
    const auto [z, y, x] = region.begin;
    for (int64_t i = z; i < z + region.size[0]; ++i)
      slices.push_back(open(image(i))->read({{0, y, x}, {1, region.size[1], region.size[2]}}));
    return at::cat(slices);
  }

 private:
  fs::path folder_;
  std::vector<fs::path> images_;
  ImageInfo info_;
};

// The slices of a stack into images of their own again, each whole before the next begins.
class StackSink final : public ImageSink {
 public:
  StackSink(const Model& model, const Stack& stack, fs::path folder)
      : model_(model), stack_(stack), folder_(std::move(folder)) {}

  void write(const Region& region, const at::Tensor& values) override {
    const auto [z, y, x] = region.begin;
    if (z != slice_) {
      if (image_) image_->commit();
      const fs::path& image = stack_.image(z);
      image_ = create_enhanced(model_, {folder_ / image.filename()}, open(image)->info());
      slice_ = z;
    }
    image_->write({{0, y, x}, region.size}, values);
  }
  void commit() override { image_->commit(); }

 private:
  const Model& model_;
  const Stack& stack_;
  fs::path folder_;
  int64_t slice_ = -1;
  std::unique_ptr<ImageSink> image_;
};

void enhance_file(Model& model, const fs::path& in, const Output& out, const Console& console,
                  const StopToken& stop) {
  note_strays(in, console);
  const auto source = open(in);
  require_units(model, source->info(), in.string(), console);
  const auto sink = create_enhanced(model, out, source->info());
  enhance(model, *source, *sink, console, stop);
  sink->commit();
}

void enhance_stack(Model& model, const ImageFolder& in, const fs::path& out, const Console& console,
                   const StopToken& stop) {
  Stack stack(in.path, in.images);
  require_units(model, stack.info(), in.path.string(), console);
  StackSink sink(model, stack, out);
  enhance(model, stack, sink, console, stop);
  sink.commit();
}

void enhance_each(Model& model, const ImageFolder& in, const fs::path& out, const Console& console,
                  const StopToken& stop) {
  const bool adjacent =
      model.network.graph().channels(0) > 1 && open(in.images.front())->info().shape[0] == 1;
  if (adjacent) return enhance_stack(model, in, out, console, stop);
  for (const fs::path& image : in.images) enhance_file(model, image, {out / image.filename()}, console, stop);
}

}  // namespace

void enhance_files(Model& model, const fs::path& in, const Output& out, const Console& console,
                   const StopToken& stop) {
  require_apart(out.path, files_of_image(in));
  if (!fs::is_directory(in)) return enhance_file(model, in, out, console, stop);
  const ImageFolder folder = image_folder(in);
  if (folder.is_series()) return enhance_file(model, in, out, console, stop);
  note_strays(in, console);
  write_folder(out, [&](const fs::path& filled) { enhance_each(model, folder, filled, console, stop); });
}

}  // namespace lucivox
