#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <lucivox/base/fields.h>
#include <lucivox/metrics/quality.h>

namespace lucivox {

// What a training run records, a line of metrics.jsonl each. `step` counts from 1, `epoch` from 0; a NaN is
// null there.

// In the network's window, and loss as the run's.
struct ValidationRecord : Quality {
  double loss = 0;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    Quality::fields(self, visit);
    visit("loss", self.loss);
  }
};

// Of the low-dose slices as they are, before the first step.
struct BaselineRecord {
  static constexpr char kKind[] = "baseline";
  int64_t step = 0, epoch = 0;
  ValidationRecord validation;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("step", self.step);
    visit("epoch", self.epoch);
    visit.table("validation", self.validation);
  }
};

struct StepRecord {
  static constexpr char kKind[] = "step";
  int64_t step = 0, epoch = 0;
  double loss = 0, learning_rate = 0, seconds = 0;
  std::optional<double> opponent_loss;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("step", self.step);
    visit("epoch", self.epoch);
    visit("loss", self.loss);
    visit("learning_rate", self.learning_rate);
    visit("seconds", self.seconds);
    visit.optional("opponent_loss", self.opponent_loss);
  }
};

// What the epochs so far took of the machine, in bytes.
struct MachineRecord {
  double peak_memory = 0;
  int64_t host_to_device = 0, device_to_device = 0, captures = 0;
  std::optional<double> loss_scale;  // in half precision
  std::optional<int64_t> skipped_steps;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("peak_memory", self.peak_memory);
    visit("host_to_device", self.host_to_device);
    visit("device_to_device", self.device_to_device);
    visit("captures", self.captures);
    visit.optional("loss_scale", self.loss_scale);
    visit.optional("skipped_steps", self.skipped_steps);
  }
};

struct EpochRecord {
  static constexpr char kKind[] = "epoch";
  int64_t step = 0, epoch = 0;
  std::string phase;  // "dense" or "sparse"
  double loss = 0, learning_rate = 0, seconds = 0, sparsity = 0;
  MachineRecord machine;
  std::optional<ValidationRecord> validation;
  std::optional<double> opponent_loss;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("step", self.step);
    visit("epoch", self.epoch);
    visit("phase", self.phase);
    visit("loss", self.loss);
    visit("learning_rate", self.learning_rate);
    visit("seconds", self.seconds);
    visit("sparsity", self.sparsity);
    visit.table("machine", self.machine);
    visit.optional_table("validation", self.validation);
    visit.optional("opponent_loss", self.opponent_loss);
  }
};

// How many of the weights that are kept lie in each of equally wide bins from -limit to limit.
struct WeightsRecord {
  double limit = 0;
  std::vector<int64_t> before, after;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("limit", self.limit);
    visit("before", self.before);
    visit("after", self.after);
  }
};

struct PruningRecord {
  static constexpr char kKind[] = "pruning";
  int64_t step = 0, epoch = 0;
  std::string reason, criterion;
  double amount = 0, sparsity = 0;
  WeightsRecord weights;
  std::optional<ValidationRecord> validation;  // before retraining brings anything back

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("step", self.step);
    visit("epoch", self.epoch);
    visit("reason", self.reason);
    visit("criterion", self.criterion);
    visit("amount", self.amount);
    visit("sparsity", self.sparsity);
    visit.table("weights", self.weights);
    visit.optional_table("validation", self.validation);
  }
};

struct WarningRecord {
  static constexpr char kKind[] = "warning";
  int64_t step = 0, epoch = 0;
  std::string text;

  template <typename Self, typename Visitor>
  static void fields(Self& self, Visitor& visit) {
    visit("step", self.step);
    visit("epoch", self.epoch);
    visit("text", self.text);
  }
};

using RunRecord = std::variant<BaselineRecord, StepRecord, EpochRecord, PruningRecord, WarningRecord>;
using RunRecords = std::vector<RunRecord>;

int64_t step_of(const RunRecord& record);
// {"kind": "step", "step": 12, ...}
Json to_json(const RunRecord& record);
// Nothing when the line is damaged or of a kind that this version does not have; what an older version did
// not record has its default.
std::optional<RunRecord> record_from_json(const Json& line);

// Those of one kind, in their order.
template <typename Record>
std::vector<Record> of_kind(const RunRecords& records) {
  std::vector<Record> found;
  for (const RunRecord& record : records) {
    if (const auto* one = std::get_if<Record>(&record)) found.push_back(*one);
  }
  return found;
}

}  // namespace lucivox
