#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <lucivox/base/config.h>
#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/safetensors.h>

namespace lucivox {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors holds little-endian numbers");

// The format's own bound on the header.
constexpr uint64_t kMaxHeader = 100'000'000;

constexpr std::array<std::pair<const char*, at::ScalarType>, 8> kTypes{{
    {"F32", at::kFloat},
    {"F64", at::kDouble},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"I64", at::kLong},
    {"I32", at::kInt},
    {"U8", at::kByte},
    {"BOOL", at::kBool},
}};

at::ScalarType type_from(const std::string& name) {
  for (const auto& [text, type] : kTypes) {
    if (name == text) return type;
  }
  throw Error(fmt::format("unknown tensor type {}", name));
}

std::string name_of(at::ScalarType type) {
  for (const auto& [text, known] : kTypes) {
    if (type == known) return text;
  }
  throw Error("tensors of this type cannot be stored in safetensors");
}

// One tensor of the header, copied out of `data`; every number is checked against the bytes there are.
at::Tensor tensor_from(const Json& entry, std::string_view data) {
  const at::ScalarType type = type_from(entry.at("dtype").get<std::string>());
  const auto shape = entry.at("shape").get<std::vector<int64_t>>();
  const auto [begin, end] = entry.at("data_offsets").get<std::pair<uint64_t, uint64_t>>();
  uint64_t bytes = c10::elementSize(type);
  for (const int64_t n : shape) {
    if (n < 0 || (n > 0 && bytes > data.size() / static_cast<uint64_t>(n)))
      throw Error("a shape larger than the file");
    bytes *= static_cast<uint64_t>(n);
  }
  if (begin > end || end > data.size() || end - begin != bytes)
    throw Error("offsets that do not fit the file");
  at::Tensor tensor = at::empty(shape, type);
  if (bytes > 0) std::memcpy(tensor.data_ptr(), data.data() + begin, bytes);
  return tensor;
}

TensorFile parse(std::string_view bytes) {
  uint64_t length = 0;
  if (bytes.size() < sizeof length) throw Error("fewer than 8 bytes");
  std::memcpy(&length, bytes.data(), sizeof length);
  bytes.remove_prefix(sizeof length);
  if (length > kMaxHeader || length > bytes.size()) throw Error("a header longer than the file");
  const Json header = Json::parse(bytes.substr(0, length));
  const std::string_view data = bytes.substr(length);
  TensorFile file;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      file.metadata = entry.get<std::map<std::string, std::string>>();
    } else {
      file.tensors.emplace_back(name, tensor_from(entry, data));
    }
  }
  return file;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, uint64_t{1} << 40);
  try {
    return parse(bytes);
  } catch (const std::exception& error) {  // of the JSON reader, of libtorch, of the checks above
    throw Error(fmt::format("{} is not a whole safetensors file ({})", path.string(), error.what()),
                "the file is truncated, damaged or of another kind: copy it again");
  }
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  Json header = Json::object();
  header["__metadata__"] = file.metadata;
  std::string data;
  for (const auto& [name, tensor] : file.tensors) {
    const at::Tensor plain = tensor.detach().cpu().contiguous();
    const size_t begin = data.size();
    data.append(static_cast<const char*>(plain.data_ptr()), plain.nbytes());
    header[name] = {{"dtype", name_of(plain.scalar_type())},
                    {"shape", plain.sizes().vec()},
                    {"data_offsets", {begin, data.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // aligns the data, as other readers expect
  const uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
  write_file(path, bytes + text + data);
}

}  // namespace lucivox
