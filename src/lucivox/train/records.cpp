#include <limits>

#include <lucivox/train/records.h>

namespace lucivox {
namespace {

// JSON has no NaN.
void nulls_to_nan(Json& json) {
  if (json.is_null()) json = std::numeric_limits<double>::quiet_NaN();
  if (json.is_structured()) {
    for (Json& one : json) nulls_to_nan(one);
  }
}

template <typename Record>
bool read_as(const Json& line, std::optional<RunRecord>& record) {
  if (line.at("kind") != Record::kKind) return false;
  Record one;
  FieldReader reader(line, "metrics.jsonl");
  Record::fields(one, reader);
  record = std::move(one);
  return true;
}

template <typename... Records>
std::optional<RunRecord> read_as_any(const Json& line, const std::variant<Records...>*) {
  std::optional<RunRecord> record;
  static_cast<void>((read_as<Records>(line, record) || ...));
  return record;
}

}  // namespace

int64_t step_of(const RunRecord& record) {
  return std::visit([](const auto& one) { return one.step; }, record);
}

Json to_json(const RunRecord& record) {
  return std::visit(
      [](const auto& one) {
        Json json = {{"kind", one.kKind}};
        json.update(fields_json(one));
        return json;
      },
      record);
}

std::optional<RunRecord> record_from_json(const Json& line) {
  if (!line.is_object() || !line.contains("kind")) return std::nullopt;
  Json numbers = line;
  nulls_to_nan(numbers);
  try {
    return read_as_any(numbers, static_cast<const RunRecord*>(nullptr));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace lucivox
