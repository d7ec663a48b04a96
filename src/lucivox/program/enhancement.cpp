#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/version.h>
#include <lucivox/formats/folder.h>
#include <lucivox/formats/open.h>
#include <lucivox/infer/enhance.h>
#include <lucivox/program/enhancement.h>
#include <lucivox/program/executor.h>
#include <lucivox/program/image_files.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

// Compares the units of images with the model's, and notes once where they are missing.
class UnitsCheck {
 public:
  UnitsCheck(const Model& model, Reporter& reporter) : units_(model.intensity.units), reporter_(reporter) {}

  void operator()(const ImageInfo& info, const std::string& image) {
    if (units_ == Units::Unknown || info.units == units_) return;
    if (info.units != Units::Unknown) {
      throw Error(fmt::format("{} holds values in {}, the model was trained on {}", image,
                              to_string(info.units), to_string(units_)),
                  "convert it first, or take a model of its units");
    }
    if (!noted_)
      reporter_.note(fmt::format("{} does not store its units: images without units are taken to be in {}",
                                 image, to_string(units_)));
    noted_ = true;
  }

 private:
  Units units_;
  Reporter& reporter_;
  bool noted_ = false;
};

// Of the kind that the folder it comes from is of, or that its name says.
std::unique_ptr<ImageSink> create_enhanced(const Model& model, const Output& out, ImageInfo info,
                                           std::optional<formats::Kind> kind) {
  const Derivation derivation{fmt::format("Enhanced by lucivox {} with model {} ({})", version(), model.name,
                                          model.weights.graph().architecture())};
  if (info.units == Units::Unknown) info.units = model.intensity.units;  // as which they were read
  return kind ? create(out.path, *kind, info, derivation, out.existing)
              : create(out.path, info, derivation, out.existing);
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

  at::Tensor read_stored(const Region& region) override {
    return read_each(region, [](ImageSource& image, const Region& part) { return image.read_stored(part); });
  }
  at::Tensor read(const Region& region) override {
    return read_each(region, [](ImageSource& image, const Region& part) { return image.read(part); });
  }

 private:
  template <typename Read>
  at::Tensor read_each(const Region& region, const Read& read) const {
    std::vector<at::Tensor> slices;
    const auto [z, y, x] = region.begin;
    for (int64_t i = z; i < z + region.size[0]; ++i)
      slices.push_back(read(*open(image(i)), {{0, y, x}, {1, region.size[1], region.size[2]}}));
    return at::cat(slices);
  }

  fs::path folder_;
  std::vector<fs::path> images_;
  ImageInfo info_;
};

// The slices of a stack into images of their own again, each whole before the next begins.
class StackSink final : public ImageSink {
 public:
  StackSink(const Model& model, const Stack& stack, fs::path folder, formats::Kind kind)
      : model_(model), stack_(stack), folder_(std::move(folder)), kind_(kind) {}

  void write(const Region& region, const at::Tensor& values) override {
    slice_of(region).write({{0, region.begin[1], region.begin[2]}, region.size}, values);
  }
  void write_stored(const Region& region, const at::Tensor& stored) override {
    slice_of(region).write_stored({{0, region.begin[1], region.begin[2]}, region.size}, stored);
  }
  void commit() override { image_->commit(); }

 private:
  VoxelSink& slice_of(const Region& region) {
    const int64_t z = region.begin[0];
    if (z != slice_) {
      if (image_) image_->commit();
      const fs::path& image = stack_.image(z);
      image_ = create_enhanced(model_, {folder_ / image.filename()}, open(image)->info(), kind_);
      slice_ = z;
    }
    return *image_;
  }

  const Model& model_;
  const Stack& stack_;
  fs::path folder_;
  formats::Kind kind_;
  int64_t slice_ = -1;
  std::unique_ptr<ImageSink> image_;
};

void enhance_file(const Model& model, const fs::path& in, const Output& out,
                  std::optional<formats::Kind> kind, UnitsCheck& check, Reporter& reporter,
                  const StopToken& stop) {
  note_strays(in, reporter);
  const auto source = open(in);
  check(source->info(), in.string());
  const auto sink = create_enhanced(model, out, source->info(), kind);
  enhance(model, *source, *sink, reporter, stop);
  sink->commit();
}

void enhance_stack(const Model& model, const ImageFolder& in, const fs::path& out, UnitsCheck& check,
                   Reporter& reporter, const StopToken& stop) {
  Stack stack(in.path, in.images);
  check(stack.info(), in.path.string());
  StackSink sink(model, stack, out, in.kind);
  enhance(model, stack, sink, reporter, stop);
  sink.commit();
}

void enhance_each(const Model& model, const ImageFolder& in, const fs::path& out, UnitsCheck& check,
                  Reporter& reporter, const StopToken& stop) {
  const bool adjacent =
      model.weights.graph().channels(0) > 1 && open(in.images.front())->info().shape[0] == 1;
  if (adjacent) return enhance_stack(model, in, out, check, reporter, stop);
  for (const fs::path& image : in.images)
    enhance_file(model, image, {out / image.filename()}, in.kind, check, reporter, stop);
}

}  // namespace

void enhance_files(const Model& model, const fs::path& in, const Output& out, Reporter& reporter,
                   const StopToken& stop) {
  require_apart(out.path, files_of_image(in));
  note_slow_executor(model.weights.graph(), model.weights.device(), reporter);
  UnitsCheck check(model, reporter);
  if (!fs::is_directory(in)) return enhance_file(model, in, out, {}, check, reporter, stop);
  const ImageFolder folder = image_folder(in);
  if (folder.is_series()) return enhance_file(model, in, out, {}, check, reporter, stop);
  note_strays(in, reporter);
  write_folder(out,
               [&](const fs::path& filled) { enhance_each(model, folder, filled, check, reporter, stop); });
}

}  // namespace lucivox
