#include <algorithm>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/nn/pytorch_file.h>

namespace lucivox {
namespace {

struct Value;
using Sequence = std::vector<Value>;
using Dictionary = std::vector<std::pair<Value, Value>>;
struct Global {
  std::string name;  // "torch._utils._rebuild_tensor_v2"
};
struct Storage {
  std::string key;
  at::ScalarType type = at::kFloat;
};
struct Mark {};

// Lists and dictionaries belong to the Unpickler: the pickle's memo refers to them while they are being
// filled, and a hostile file puts one into itself or nests more of them than destructors could unwind.
struct Value {
  std::variant<std::monostate, bool, int64_t, double, std::string, Global, Storage, at::Tensor, Mark,
               Sequence*, Dictionary*>
      is;

  template <typename T>
  const T& as(const char* what) const {
    if (const T* value = std::get_if<T>(&is)) return *value;
    throw Error(fmt::format("the pickle has no {} where one must be", what));
  }
  const Sequence& sequence() const { return *as<Sequence*>("list"); }
  const Dictionary& dictionary() const { return *as<Dictionary*>("dictionary"); }
  int64_t integer() const { return as<int64_t>("number"); }
};

const Value& item(const Sequence& sequence, size_t i) {
  if (i >= sequence.size()) throw Error("the pickle has too few arguments");
  return sequence[i];
}

std::vector<int64_t> integers(const Value& value) {
  std::vector<int64_t> numbers;
  for (const Value& v : value.sequence()) numbers.push_back(v.integer());
  return numbers;
}

at::ScalarType storage_type(const std::string& global) {
  static const std::map<std::string, at::ScalarType> types{
      {"torch.FloatStorage", at::kFloat}, {"torch.DoubleStorage", at::kDouble},
      {"torch.HalfStorage", at::kHalf},   {"torch.BFloat16Storage", at::kBFloat16},
      {"torch.LongStorage", at::kLong},   {"torch.IntStorage", at::kInt}};
  const auto found = types.find(global);
  if (found == types.end()) throw Error("tensors of the unknown type " + global);
  return found->second;
}

// Runs the pickle of a torch.save archive; one virtual machine a file, which outlives the value it gives.
// Opcodes as in Python's pickletools.
class Unpickler {
 public:
  Unpickler(caffe2::serialize::PyTorchStreamReader& archive, std::string pickle)
      : archive_(archive), pickle_(std::move(pickle)) {}

  Value run() {
    while (true) {
      const auto op = static_cast<unsigned char>(take(1)[0]);
      if (op == '.') return pop();
      if (!push_constant(op) && !build_container(op) && !use_memo(op)) execute(op);
    }
  }

 private:
  std::string_view take(size_t count) {
    if (count > pickle_.size() - at_) throw Error("the pickle ends too early");
    at_ += count;
    return std::string_view(pickle_).substr(at_ - count, count);
  }
  template <typename T>
  T number() {
    T value{};
    take(sizeof value).copy(reinterpret_cast<char*>(&value), sizeof value);
    return value;
  }
  std::string line() {
    const size_t end = pickle_.find('\n', at_);
    if (end == std::string::npos) throw Error("the pickle ends too early");
    std::string text(take(end - at_));
    take(1);
    return text;
  }
  Value sequence_of(Sequence items) { return {&sequences_.emplace_back(std::move(items))}; }
  Value dictionary() { return {&dictionaries_.emplace_back()}; }
  void push(Value value) { stack_.push_back(std::move(value)); }
  Value pop() {
    if (stack_.empty()) throw Error("the pickle's stack is empty");
    Value top = std::move(stack_.back());
    stack_.pop_back();
    return top;
  }
  Value& top() {
    if (stack_.empty()) throw Error("the pickle's stack is empty");
    return stack_.back();
  }
  Sequence pop_to_mark() {
    Sequence items;
    for (Value value = pop(); !std::holds_alternative<Mark>(value.is); value = pop())
      items.push_back(std::move(value));
    return {std::make_move_iterator(items.rbegin()), std::make_move_iterator(items.rend())};
  }

  bool push_constant(unsigned char op) {
    switch (op) {
      case 'N':
        push({});
        return true;
      case 0x88:
        push({true});
        return true;
      case 0x89:
        push({false});
        return true;
      case 'K':
        push({static_cast<int64_t>(number<uint8_t>())});
        return true;
      case 'M':
        push({static_cast<int64_t>(number<uint16_t>())});
        return true;
      case 'J':
        push({static_cast<int64_t>(number<int32_t>())});
        return true;
      case 0x8a:
        push({long_integer()});
        return true;
      case 'G':
        push({big_endian_double()});
        return true;
      case 'X':
        push({std::string(take(number<uint32_t>()))});
        return true;
      case 0x8c:
        push({std::string(take(number<uint8_t>()))});
        return true;
      case 'c': {
        const std::string module = line();
        push({Global{module + "." + line()}});
        return true;
      }
      default:
        return false;
    }
  }

  bool build_container(unsigned char op) {
    switch (op) {
      case '(':
        push({Mark{}});
        return true;
      case ')':
      case ']':
        push(sequence_of({}));
        return true;
      case '}':
        push(dictionary());
        return true;
      case 't':
        push(sequence_of(pop_to_mark()));
        return true;
      case 0x85:
      case 0x86:
      case 0x87:
        push_tuple(op - 0x84U);
        return true;
      case 'a':
        append({pop()});
        return true;
      case 'e':
        append(pop_to_mark());
        return true;
      case 's': {
        Value value = pop();
        Value key = pop();
        set_items({std::move(key), std::move(value)});
        return true;
      }
      case 'u':
        set_items(pop_to_mark());
        return true;
      default:
        return false;
    }
  }

  bool use_memo(unsigned char op) {
    switch (op) {
      case 'q':
        memo_[number<uint8_t>()] = top();
        return true;
      case 'r':
        memo_[number<uint32_t>()] = top();
        return true;
      case 0x94:
        memo_.emplace(static_cast<uint32_t>(memo_.size()), top());
        return true;
      case 'h':
        push(remembered(number<uint8_t>()));
        return true;
      case 'j':
        push(remembered(number<uint32_t>()));
        return true;
      default:
        return false;
    }
  }

  void execute(unsigned char op) {
    switch (op) {
      case 0x80:
        take(1);
        return;  // protocol
      case 0x95:
        take(8);
        return;  // frame
      case 'Q':
        push(storage(pop()));
        return;
      case 'R': {
        const Value arguments = pop();
        push(call(pop().as<Global>("function").name, arguments.sequence()));
        return;
      }
      case 'b':
        pop();
        return;  // attributes such as _metadata: not needed
      default:
        throw Error(fmt::format("the pickle uses operation 0x{:02x}, which state dicts do not need", op));
    }
  }

  int64_t long_integer() {
    const std::string_view bytes = take(number<uint8_t>());
    if (bytes.size() > 8) throw Error("the pickle holds a number of more than 64 bits");
    uint64_t value = !bytes.empty() && static_cast<signed char>(bytes.back()) < 0 ? ~uint64_t{0} : 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      value &= ~(uint64_t{0xFF} << (8 * i));
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    return static_cast<int64_t>(value);
  }
  double big_endian_double() {
    std::string bytes(take(8));
    std::reverse(bytes.begin(), bytes.end());
    double value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
  }
  void push_tuple(size_t count) {
    Sequence items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    push(sequence_of(std::move(items)));
  }
  void append(Sequence items) {
    Sequence* list = top().as<Sequence*>("list");
    std::move(items.begin(), items.end(), std::back_inserter(*list));
  }
  void set_items(Sequence items) {
    Dictionary* entries = top().as<Dictionary*>("dictionary");
    for (size_t i = 0; i + 1 < items.size(); i += 2) entries->emplace_back(items[i], items[i + 1]);
  }
  const Value& remembered(uint32_t slot) const {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) throw Error("the pickle refers to something it never made");
    return found->second;
  }

  // ('storage', type, key, device, count): the bytes lie in the archive under data/KEY.
  static Value storage(const Value& id) {
    const Sequence& parts = id.sequence();
    return {
        Storage{item(parts, 2).as<std::string>("key"), storage_type(item(parts, 1).as<Global>("type").name)}};
  }

  Value call(const std::string& function, const Sequence& arguments) {
    if (function == "collections.OrderedDict") return dictionary();
    if (function == "torch._utils._rebuild_parameter") return item(arguments, 0);
    if (function == "torch._utils._rebuild_tensor_v2") return {tensor(arguments)};
    throw Error(fmt::format("the pickle wants to call {}, which a state dict never does", function));
  }

  // (storage, offset, size, stride, ...)
  at::Tensor tensor(const Sequence& arguments) {
    const auto& from = item(arguments, 0).as<Storage>("storage");
    const int64_t offset = item(arguments, 1).integer();
    const auto size = integers(item(arguments, 2));
    const auto stride = integers(item(arguments, 3));
    const auto [data, bytes] = archive_.getRecord("data/" + from.key);
    const auto count = static_cast<int64_t>(bytes / c10::elementSize(from.type));
    const int64_t room = std::max<int64_t>(count, 1);
    int64_t last = offset;  // the farthest element that size and stride reach
    bool sound = offset >= 0 && offset < room && size.size() == stride.size();
    for (size_t i = 0; sound && i < size.size(); ++i) {
      // by division: the numbers of a damaged file overflow when multiplied
      sound = size[i] >= 0 && size[i] <= room && stride[i] >= 0 &&
              (size[i] <= 1 || stride[i] == 0 || size[i] - 1 <= (room - 1 - last) / stride[i]);
      last += sound && size[i] > 1 ? (size[i] - 1) * stride[i] : 0;
    }
    if (!sound) throw Error("a tensor reaches beyond its storage");
    return at::from_blob(data.get(), {count}, from.type).as_strided(size, stride, offset).clone();
  }

  caffe2::serialize::PyTorchStreamReader& archive_;
  std::string pickle_;
  size_t at_ = 0;
  std::deque<Sequence> sequences_;  // deques: what is in them stays where it is
  std::deque<Dictionary> dictionaries_;
  Sequence stack_;
  std::map<uint32_t, Value> memo_;
};

NamedTensors state_dict_in(const Value& value, int depth = 0) {
  constexpr int deepest = 8;  // checkpoints wrap it once or twice; a dictionary inside itself has no end
  if (depth > deepest) throw Error("its dictionaries are nested too deeply");
  NamedTensors tensors;
  for (const auto& [key, entry] : value.dictionary()) {
    const auto* name = std::get_if<std::string>(&key.is);
    if (name == nullptr) continue;
    if (*name == "state_dict" || *name == "model_state_dict" || *name == "model")
      return state_dict_in(entry, depth + 1);
    if (const auto* tensor = std::get_if<at::Tensor>(&entry.is)) tensors.emplace_back(*name, *tensor);
  }
  return tensors;
}

}  // namespace

NamedTensors read_pytorch_tensors(const std::filesystem::path& path) {
  require_exists(path, "PyTorch file");
  try {
    caffe2::serialize::PyTorchStreamReader archive(path.string());
    const auto [pickle, size] = archive.getRecord("data.pkl");
    Unpickler unpickler(archive, std::string(static_cast<const char*>(pickle.get()), size));
    NamedTensors tensors = state_dict_in(unpickler.run());
    if (tensors.empty()) throw Error("it holds no named tensors");
    return tensors;
  } catch (const c10::Error& error) {
    throw Error(
        fmt::format("{} is not a whole PyTorch file ({})", path.string(), error.what_without_backtrace()),
        "write it with torch.save(model.state_dict(), ...) of PyTorch 1.6 or newer");
  } catch (const Error& error) {
    throw Error(fmt::format("cannot read {}: {}", path.string(), error.what()),
                "save the state dict alone: torch.save(model.state_dict(), ...)");
  }
}

}  // namespace lucivox
