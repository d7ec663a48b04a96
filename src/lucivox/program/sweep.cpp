#include <algorithm>

#include <fmt/format.h>

#include <lucivox/base/error.h>
#include <lucivox/base/files.h>
#include <lucivox/base/text.h>
#include <lucivox/base/version.h>
#include <lucivox/program/sweep.h>
#include <lucivox/program/sweep_report.h>
#include <lucivox/train/checkpoint.h>
#include <lucivox/train/schedule.h>

namespace fs = std::filesystem;

namespace lucivox {
namespace {

constexpr int64_t kSplits = 5;  // parts that the epochs are split into

// One run of a sweep.
struct Point {
  std::string name;  // of its folder
  Json configuration;
};

fs::path sweep_file(const fs::path& folder) {
  return folder / "sweep.json";
}
fs::path summary_file(const fs::path& folder) {
  return folder / "summary.json";
}

std::string name_of(Sweep sweep) {
  return sweep == Sweep::Hybrid ? "hybrid" : "sparsity";
}

// The run without pruning.
Point dense_point(Json configuration) {
  configuration["train"]["sparsity"]["criterion"] = "none";
  return {"dense", configuration};
}

// By rising dense epochs, so that each can branch off the one before.
std::vector<Point> hybrid_points(const Json& configuration) {
  const auto epochs = configuration.at("train").at("epochs").get<int64_t>();
  std::vector<Point> points;
  for (int64_t i = 0; i < kSplits; ++i) {
    const int64_t dense = epochs * i / kSplits;
    const std::string name = fmt::format("dense-{}-sparse-{}", dense, epochs - dense);
    if (!points.empty() && points.back().name == name) continue;
    Point point{name, configuration};
    Json& sparsity = point.configuration["train"]["sparsity"];
    sparsity["switch"] = "fixed";
    sparsity["dense_epochs"] = dense;
    points.push_back(point);
  }
  return points;
}

std::vector<Point> sparsity_points(const Json& configuration) {
  std::vector<Point> points;
  for (const std::string& criterion : pruning_criteria()) {
    if (criterion == "none") continue;
    for (int64_t tenths = 1; tenths <= 9; ++tenths) {
      Point point{fmt::format("{}-{}", criterion, 10 * tenths), configuration};
      std::replace(point.name.begin(), point.name.end(), ':', '-');
      Json& sparsity = point.configuration["train"]["sparsity"];
      sparsity["criterion"] = criterion;
      sparsity["amount"] = static_cast<double>(tenths) / 10;
      points.push_back(point);
    }
  }
  return points;
}

// Tells by an untrained network, before anything is computed, whether a point can be.
bool possible(const Point& point, const Weights& weights, Reporter& reporter) {
  try {
    const SupervisedOptions options = supervised_options_from_json(point.configuration.at("train"));
    pruning_masks(weights, options.sparsity.pruning, options.seed);
    return true;
  } catch (const Error& error) {
    reporter.note(fmt::format("{} is left out: {}", point.name, error.what()));
    return false;
  }
}

std::vector<Point> points_of(Sweep sweep, const Json& configuration, const Graph& graph, Reporter& reporter) {
  const Weights weights(graph, 1);
  std::vector<Point> points =
      sweep == Sweep::Hybrid ? hybrid_points(configuration) : sparsity_points(configuration);
  std::erase_if(points, [&](const Point& point) { return !possible(point, weights, reporter); });
  if (points.empty())
    throw Error::misuse("no run of this sweep is possible", "see the notes; set train.sparsity accordingly");
  points.push_back(dense_point(configuration));
  return points;
}

void require_comparable(Sweep sweep, const Json& configuration) {
  if (configuration.at("data").value("validation", Json()) == false)
    throw Error::misuse("a sweep compares runs by validation slices, but data.validation is false",
                        "leave it out, or set it to a folder with HQ/ and LQ/");
  if (sweep == Sweep::Hybrid && configuration.at("train").at("sparsity").at("criterion") == "none")
    throw Error::misuse("a hybrid sweep prunes, and no criterion is named",
                        "set train.sparsity.criterion, such as to magnitude");
}

void claim_folder(Sweep sweep, const TrainingJob& job, const Json& configuration) {
  const Json about = {{"sweep", name_of(sweep)}, {"configuration", configuration}};
  if (job.start == Start::Fresh) {
    if (fs::exists(sweep_file(job.run)) || RunFolder::is_run(job.run))
      throw Error::misuse(job.run.string() + " already holds a run or a sweep",
                          "continue it with --resume, or choose another run folder (--run)");
    create_folder(job.run);
    write_file(sweep_file(job.run), about.dump(2) + "\n");
  } else if (sweep_configuration_of(job.run) != configuration ||
             Json::parse(read_file(sweep_file(job.run))).at("sweep") != about.at("sweep")) {
    throw Error::misuse(job.run.string() + " holds another sweep, or one of another configuration",
                        "resume it with its own --sweep and configuration, or choose another folder");
  }
}

bool same_dense_epochs(const Json& a, const Json& b) {
  const auto end = [](const Json& configuration) {
    return dense_schedule_end(supervised_options_from_json(configuration.at("train")));
  };
  return end(a) == end(b);
}

// A run that has passed the dense epochs of another: its record and its checkpoint.
void branch_off(const fs::path& dense_run, TrainingJob job) {
  // what follows from the data was resolved when that run began
  const Json resolved = RunFolder::configuration_of(dense_run).at("train");
  for (const char* option : {"freeze_norms_after", "crop"})
    job.configuration["train"][option] = resolved.at(option);
  RunFolder run = RunFolder::create(job.run, job.configuration);
  for (const RunRecord& record : RunFolder::records_of(dense_run)) {
    if (std::holds_alternative<PruningRecord>(record)) break;
    run.record(record);
  }
  const SupervisedOptions options = supervised_options_from_json(job.configuration.at("train"));
  branch_checkpoint(RunFolder::dense_checkpoint_of(dense_run), run.checkpoint(), options.sparsity,
                    fields_json(options, Fields::Decisive));
}

// Trains one point, as far as it is not trained yet; `before` is the finished run to branch off, empty for
// the first. False when stopped.
bool run_point(TrainingJob job, const fs::path& before, Reporter& reporter, const StopToken& stop) {
  if (fs::exists(summary_file(job.run))) return true;
  const bool begun = fs::exists(RunFolder::checkpoint_of(job.run));
  const bool branches =
      !before.empty() && same_dense_epochs(job.configuration, RunFolder::configuration_of(before));
  if (!begun) {
    fs::remove_all(job.run);  // it ended before its first checkpoint
    if (branches) branch_off(before, job);
  }
  job.start = begun || branches ? Start::Resume : Start::Fresh;
  return run_training(job, reporter, stop).result.finished;
}

// What the sweep compares of a finished run.
Json result_of(const Point& point, const fs::path& run) {
  const Json summary = Json::parse(read_file(summary_file(run)));
  const Json& train = point.configuration.at("train");
  const Json& pruning = summary.at("pruning");
  const auto epochs = train.at("epochs").get<int64_t>();
  const auto dense = pruning.value("dense_epochs", epochs);
  Json result = {{"run", point.name},
                 {"criterion", train.at("sparsity").at("criterion")},
                 {"amount", pruning.value("amount", 0.0)},
                 {"sparsity", summary.at("sparsity")},
                 {"dense_epochs", dense},
                 {"sparse_epochs", epochs - dense},
                 {"training_seconds", summary.at("training_seconds")},
                 {"quality", summary.at("after")}};
  if (pruning.contains("pruned")) result["pruned"] = pruning.at("pruned");
  return result;
}

}  // namespace

Json sweep_configuration_of(const fs::path& folder) {
  if (!fs::exists(sweep_file(folder)))
    throw Error::misuse(folder.string() + " holds no sweep", "give the folder of one, or leave out --resume");
  try {
    return Json::parse(read_file(sweep_file(folder))).at("configuration");
  } catch (const nlohmann::json::exception&) {
    throw Error(sweep_file(folder).string() + " is damaged", "start the sweep again in another folder");
  }
}

SweepSummary run_sweep(Sweep sweep, const TrainingJob& job, Reporter& reporter, const StopToken& stop) {
  const TrainingConfiguration parsed = training_configuration(training_of(job.network), job.configuration);
  require_run_outside(job.run, parsed.files());
  const Json configuration = parsed.resolved();
  require_comparable(sweep, configuration);
  if (!open_division(parsed, silence()).validation)
    throw Error::misuse("a sweep compares runs by validation slices, and there are too few to hold some out",
                        "give more slices, or set data.validation to a folder with HQ/ and LQ/");
  const std::vector<Point> points = points_of(sweep, configuration, parsed.graph(), reporter);
  claim_folder(sweep, job, configuration);

  Json results = Json::array();
  fs::path before;
  for (const Point& point : points) {
    reporter.note(fmt::format("run {} of {}: {}", results.size() + 1, points.size(), point.name));
    const fs::path run = job.run / point.name;
    if (!run_point({job.network, job.name, point.configuration, run, Start::Fresh, job.device, {}}, before,
                   reporter, stop))
      return {};
    results.push_back(result_of(point, run));
    before = run;
  }
  SweepSummary summary{true,
                       {{"lucivox", version()},
                        {"finished", utc_now()},
                        {"sweep", name_of(sweep)},
                        {"runs", results},
                        {"configuration", configuration}}};
  write_report(job.run, sweep_report(sweep, summary.json));
  write_file(summary_file(job.run), summary.json.dump(2) + "\n");
  return summary;
}

}  // namespace lucivox
