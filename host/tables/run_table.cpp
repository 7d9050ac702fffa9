#include "host/tables/run_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "data/files/input_error.h"
#include "data/files/quotes.h"
#include "host/tables/launches.h"
#include "host/tables/markup.h"
#include "host/tables/pace.h"
#include "host/tables/table_csv.h"
#include "host/tables/table_folder.h"

namespace sparsepush {
namespace {
namespace fs = std::filesystem;

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

/// Numbers of points that are trained side by side.
using Launch = std::vector<int>;

/// Where a launch is that is being trained.
struct Running {
  Launch points = {};
  int replicas = 0;  ///< replicas of all its points
  std::int64_t step = 0;
  std::optional<RunPosition> at = {};  ///< once it has said so
  Clock::time_point since = {};
};

class TableRun {
 public:
  TableRun(const TableFile& file, const std::vector<PointPlan>& plans, const TableOptions& options,
           const TrainPoints& train, const Caller& caller)
      : file_(file), plans_(plans), options_(options), train_(train), caller_(caller), folder_(options.out) {
    find_folders();
    choose_points();
  }

  TableEnd run() {
    for (std::size_t p = 0; p < states_.size(); ++p) point_lines_.push_back(point_line(file_, plans_, states_, p));
    folder_.write(kPointsFile, points_csv());
    folder_.write("table.toml", file_.text);
    for (const std::string& line : file_.warnings) caller_.say("warning: " + line);
    std::size_t points = 0, at_once = std::min<std::size_t>(options_.jobs, std::max<std::size_t>(to_do_.size(), 1));
    for (const Launch& launch : to_do_) {
      points += launch.size();
      at_once = std::max(at_once, launch.size());
    }
    caller_.say(fmt::format("{} points: {} to train, {} at once", file_.points.size(), points, at_once));
    tell();
    {
      std::vector<std::jthread> workers;
      const int others = std::min<int>(options_.jobs, static_cast<int>(to_do_.size())) - 1;
      for (int w = 0; w < others; ++w) workers.emplace_back([this] { work(); });
      work();
    }
    if (error_) std::rethrow_exception(error_);
    return finish();
  }

 private:
  /// Finds each point's folder by its id, whatever the folder was called when it was made.
  void find_folders() {
    const auto folders = folder_.folders();
    std::set<std::string> used;
    for (std::size_t p = 0; p < file_.points.size(); ++p) {
      const TablePoint& point = file_.points[p];
      const auto found = folders.find(short_id(point));
      const std::string name = found == folders.end() ? folder_name(point) : found->second;
      if (!used.insert(name).second)
        throw InputError("{}: point {}: its id begins as another point's, {}; change its settings a little",
                         point.where, in_quotes(point.name), short_id(point));
      states_.push_back(read_point_state(folder_.points(), name, point, plans_[p]));
    }
    std::vector<std::string> others;
    for (const auto& [id, name] : folders)
      if (!used.contains(name)) others.push_back("points/" + name);
    if (!others.empty())
      caller_.say(fmt::format("not in the table any more, left as they are: {}", fmt::join(others, ", ")));
  }

  /// Returns whether --only names the point, whose folder keeps the name that the point had when it was made.
  bool is_chosen(int p) const {
    const auto has = [this](const std::string& name) { return name.find(options_.only) != std::string::npos; };
    return has(states_[p].folder) || has(folder_name(file_.points[p]));
  }

  void choose_points() {
    bool any = false;
    std::map<Place, std::size_t> last;
    for (int p = 0; p < std::ssize(states_); ++p) {
      const PointState& state = states_[p];
      steps_ += plans_[p].sgd_steps + plans_[p].final_rounds;
      steps_done_ += state.steps_done;
      if (!is_chosen(p)) continue;
      any = true;
      const bool diverged = state.status == Status::kDiverged;
      if (state.status != Status::kFinished && (!diverged || options_.retry)) add_to_do(p, last);
    }
    if (!any)
      throw InputError("--only {}: no point has a folder whose name contains it; the first one's is {}", options_.only,
                       states_.front().folder);
  }

  bool begins_anew(const PointState& state) const {
    return options_.retry && (state.status == Status::kDiverged || state.damaged);
  }

  /// Where points have to be to go on side by side.
  using Place = std::tuple<int, std::optional<SavedPosition>>;
  Place place_of(int p) const { return {plans_[p].launch, begins_anew(states_[p]) ? std::nullopt : states_[p].saved}; }

  /// Adds a point to those to be trained; `last` has the last launch of each place.
  void add_to_do(int p, std::map<Place, std::size_t>& last) {
    const Place place = place_of(p);
    const auto found = last.find(place);
    if (options_.share && found != last.end() && to_do_[found->second].size() < kMostPointsAtOnce) {
      to_do_[found->second].push_back(p);
      return;
    }
    last[place] = to_do_.size();
    to_do_.push_back({p});
  }

  /// Trains points until none is left.
  void work() {
    for (Launch points = take(); !points.empty(); points = take()) {
      try {
        train(points);
      } catch (...) {  // the table's own files cannot be written: nothing else has a meaning
        const std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
        stopped_ = true;
      }
      give_back(points);
    }
  }

  double memory_of(const Launch& points) const {
    double bytes = 0;
    for (const int p : points) bytes += plans_[p].memory;
    return bytes;
  }

  /// Takes the next launch, once there is memory for it; empty if there is none.
  Launch take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] {
      return stopped_ || to_do_.empty() || running_ == 0 || memory_ + memory_of(to_do_.front()) <= options_.memory;
    });
    if (stopped_ || to_do_.empty()) return {};
    Launch points = std::move(to_do_.front());
    to_do_.pop_front();
    ++running_;
    memory_ += memory_of(points);
    return points;
  }

  void give_back(const Launch& points) {
    const std::lock_guard lock(mutex_);
    --running_;
    memory_ -= memory_of(points);
    changed_.notify_all();
  }

  /// Trains a launch. One that fails is divided: it may want more memory than there is, or one point be to blame.
  void train(const Launch& points) {
    const std::vector<WantedRun> runs = begin(points);
    std::string failure;
    try {
      train_(runs, caller_of(points.front()));
    } catch (const Diverged&) {  // the folders say so
    } catch (const std::exception& error) {
      failure = error.what();
    }
    const std::lock_guard lock(mutex_);
    const Running running = running_launches_.at(points.front());
    running_launches_.erase(points.front());
    const bool is_divided = points.size() > 1 && !failure.empty();
    Launch left;
    for (const int p : points) {
      end(p, running.step, is_divided ? "" : failure);
      const bool has_ended = states_[p].status == Status::kFinished || states_[p].status == Status::kDiverged;
      if (is_divided && !has_ended)
        left.push_back(p);
      else
        say_end(p);
    }
    divide(left);
    tell();
  }

  /// Puts points to be trained next, in launches of half as many at most, each of points at the same place.
  void divide(const Launch& points) {
    const std::size_t most = (points.size() + 1) / 2;
    std::vector<Launch> launches;
    std::map<Place, std::size_t> last;
    for (const int p : points) {
      const auto [found, is_new] = last.try_emplace(place_of(p), launches.size());
      if (!is_new && launches[found->second].size() == most) found->second = launches.size();
      launches.resize(std::max(launches.size(), found->second + 1));
      launches[found->second].push_back(p);
    }
    to_do_.insert(to_do_.begin(), launches.begin(), launches.end());
  }

  /// Says that points run, and prepares their folders.
  std::vector<WantedRun> begin(const Launch& points) {
    const std::lock_guard lock(mutex_);
    Running running{.points = points};
    std::vector<WantedRun> runs;
    for (const int p : points) {
      PointState& state = states_[p];
      const fs::path path = folder_.points() / state.folder;
      if (begins_anew(state)) {
        fs::remove_all(path);
        steps_done_ -= std::exchange(state.steps_done, 0);
        state.damaged = false;
      }
      state.status = Status::kRunning;
      write_point(p);
      runs.push_back({file_.points[p].config, path, [this, p](const std::string& line) { say_warning(p, line); }});
      running.replicas += file_.points[p].config.run.replicas;
      running.step = state.steps_done;
    }
    running_launches_[points.front()] = std::move(running);
    return runs;
  }

  /// Takes over what a point's folder says, or that it has failed; it was at `step`.
  void end(int p, std::int64_t step, const std::string& failure) {
    PointState state = read_point_state(folder_.points(), states_[p].folder, file_.points[p], plans_[p]);
    if (!failure.empty() && state.status != Status::kDiverged && state.status != Status::kFinished) {
      state.status = Status::kFailed;
      state.reason = failure;
    }
    steps_done_ += state.steps_done - step;
    states_[p] = std::move(state);
    write_point(p);
  }

  Caller caller_of(int first) {
    const std::lock_guard lock(mutex_);
    return {.request = [this, saves = saves_]() mutable { return request(saves); },
            .progress =
                [this, first](const RunPosition& position) {
                  const std::lock_guard lock(mutex_);
                  note(running_launches_.at(first), position);
                }};
  }

  void say_warning(int p, const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (line.starts_with("warning: ")) caller_.say(file_.points[p].name + ": " + line);
  }

  /// Asks the caller. A request to save is for all points that run; `saves` counts those that this launch has seen.
  Request request(int& saves) {
    const std::lock_guard lock(mutex_);
    const Request wanted = caller_.request();
    if (wanted == Request::kStop) stopped_ = true;
    if (wanted == Request::kSave) ++saves_;
    if (stopped_) return Request::kStop;
    if (saves == saves_) return Request::kNone;
    saves = saves_;
    return Request::kSave;
  }

  void note(Running& running, const RunPosition& position) {
    const auto now = Clock::now();
    if (running.at)  // else it has just made its data
      pace_.note(file_.points[running.points.front()].config, running.replicas, *running.at, position,
                 seconds_between(running.since, now));
    steps_done_ += (position.step - running.step) * std::ssize(running.points);
    running.step = position.step;
    running.at = position;
    running.since = now;
    constexpr double kInterval = 0.1;  // seconds: nobody reads faster
    if (seconds_between(told_, now) >= kInterval) tell();
  }

  void tell() {
    told_ = Clock::now();
    caller_.progress({.step = steps_done_, .last = steps_, .among = how_many(), .seconds_left = seconds_left()});
  }

  /// Says how far the table is: "3 of 12 points done, 2 running".
  std::string how_many() const {
    const auto count = [&](Status status) { return std::ranges::count(states_, status, &PointState::status); };
    return fmt::format("{} of {} points done, {} running", count(Status::kFinished) + count(Status::kDiverged),
                       states_.size(), count(Status::kRunning));
  }

  /// Estimates the time until all points are trained; none while a kind of them has not been measured.
  std::optional<double> seconds_left() const {
    double seconds = 0;
    bool known = true;
    const auto add = [&](int p, std::int64_t step) {
      const PointPlan& plan = plans_[p];
      const auto steps = static_cast<double>(plan.sgd_steps + plan.final_rounds);
      const double left = steps - static_cast<double>(step);
      const auto time =
          pace_.seconds(file_.points[p].config, left, static_cast<double>(plan.evaluations) * left / steps);
      known = known && time;
      seconds += time.value_or(0);
    };
    for (const auto& [first, running] : running_launches_)
      for (const int p : running.points) add(p, running.step);
    for (const Launch& launch : to_do_)
      for (const int p : launch) add(p, states_[p].steps_done);
    const std::size_t at_once = std::max<std::size_t>(running_launches_.size(), 1);
    return known ? std::optional(seconds / static_cast<double>(at_once)) : std::nullopt;
  }

  void say_end(int p) {
    const PointState& state = states_[p];
    caller_.say(fmt::format("{}: {} {} after {:.1f} s{}{}", how_many(), file_.points[p].name, word_of(state.status),
                            state.seconds, state.reason.empty() ? "" : ": ", state.reason));
  }

  std::string points_csv() const {
    std::string text = points_header(file_);
    for (const std::string& line : point_lines_) text += line;
    return text;
  }

  /// Writes a point's new line, without waiting for the disk: the points' folders say the same again.
  void write_point(int p) {
    point_lines_[p] = point_line(file_, plans_, states_, p);
    folder_.write_unsynced(kPointsFile, points_csv());
  }

  TableEnd finish() {
    folder_.sync(kPointsFile);
    const Results results(file_, plans_, states_);
    TableEnd end{.stopped = stopped_,
                 .all_finished = results.all_finished(),
                 .claims_hold = results.claims_hold(),
                 .markdown = table_markdown(file_, states_, results)};
    // A table that says the same as before keeps the command that made it, however it is spelt this time.
    const std::string before = folder_.read("table.md");
    const bool is_same =
        before.starts_with(end.markdown) && before.find('\n', end.markdown.size()) + 1 == before.size();
    end.markdown = is_same ? before : end.markdown + command_note(options_.command);
    folder_.write("replicas.csv", replicas_csv(file_, states_, results));
    folder_.write("table.csv", table_csv(file_, results));
    folder_.write("claims.csv", claims_csv(file_, results));
    folder_.write("table.md", end.markdown);
    folder_.write("table.tex", table_latex(layout_of(file_, results)));
    return end;
  }

  const TableFile& file_;
  const std::vector<PointPlan>& plans_;
  const TableOptions& options_;
  const TrainPoints& train_;
  const Caller& caller_;
  const TableFolder folder_;

  std::mutex mutex_;  ///< guards all that follows, and the caller, while workers run
  std::condition_variable changed_;
  std::vector<PointState> states_;        ///< [points]
  std::vector<std::string> point_lines_;  ///< [points] lines of points.csv
  std::deque<Launch> to_do_;
  std::map<int, Running> running_launches_;  ///< by their first point
  Pace pace_;
  Clock::time_point told_ = Clock::now();
  std::int64_t steps_ = 0, steps_done_ = 0;  ///< steps of all points
  int running_ = 0, saves_ = 0;
  double memory_ = 0;  ///< bytes that running launches take
  bool stopped_ = false;
  std::exception_ptr error_;
};

}  // namespace

TableEnd run_table(const TableFile& file, const std::vector<PointPlan>& plans, const TableOptions& options,
                   const TrainPoints& train, const Caller& caller) {
  return TableRun(file, plans, options, train, caller).run();
}

}  // namespace sparsepush
