#include "host/rounds/round_plan.h"

#include <algorithm>
#include <utility>

#include "kernels/backend/check.h"

namespace sparsepush {
namespace {

constexpr std::int64_t kMostPeriodEdges = 1 << 24;  // in a period that stays whole: 128 MiB of slots and weights

/// Returns whether the backend draws every round when it is due.
bool is_drawn(const RoundRules& rules, const Shard& shard) {
  return rules.drawn && shard.shards == 1 && !rules.weights && !rules.delivers;
}

/// Returns whether all places keep their rounds as long as the rates stay.
bool is_periodic(const RoundRules& rules, const RoundBounds& bounds) {
  return rules.period > 0 && !rules.delivers &&
         (rules.period <= 2 * kRoundsAhead || rules.period * bounds.edges <= kMostPeriodEdges);
}

/// Returns `needed`, and half as much again of what has grown, because more rounds will grow.
RoundBounds with_room(const RoundBounds& before, RoundBounds needed, const Shard& shard) {
  if (needed.edges > before.edges) needed.edges += needed.edges / 2;
  const int most_halo = shard.all_rows() - shard.rows();
  if (needed.halo > before.halo) needed.halo = std::min(needed.halo + needed.halo / 2, most_halo);
  const std::int64_t most_sent = std::int64_t{shard.rows()} * (shard.shards - 1);
  if (needed.sent > before.sent)
    needed.sent = static_cast<int>(std::min<std::int64_t>(needed.sent + needed.sent / 2, most_sent));
  return needed;
}

template <class T>
void copy_to_row(const std::vector<T>& values, MatrixView<T> rows, int row) {
  std::ranges::copy(values, rows.row(row));
}

}  // namespace

template <class Backend>
int RoundPlan<Backend>::places(const RoundRules& rules, const Shard& shard, const RoundBounds& bounds) {
  if (is_drawn(rules, shard)) return 1;
  return is_periodic(rules, bounds) ? static_cast<int>(rules.period) : 2 * kRoundsAhead;
}

template <class Backend>
RoundPlan<Backend>::RoundPlan(const Backend& backend, RoundRules rules, const Shard& shard)
    : backend_(backend),
      rules_(std::move(rules)),
      shard_(shard),
      bounds_(rules_.bounds(shard)),
      places_count_(places(rules_, shard, bounds_)),
      read_(backend) {
  const int batches = is_drawn(rules_, shard_) || is_periodic(rules_, bounds_) ? 1 : 2;
  for (int b = 0; b < batches; ++b) batches_.push_back({.first = 0, .rounds = {}, .uploaded = Event<Backend>(backend)});
  allocate(bounds_);
  if (is_drawn(rules_, shard_))
    drawn_.emplace(Drawn{.seed = {backend, rules_.drawn->seed}, .scratch = {backend, shard.rows(), bounds_.edges}});
  prepare(0, 1);
}

template <class Backend>
void RoundPlan<Backend>::allocate(const RoundBounds& bounds) {
  bounds_ = bounds;
  for (Batch& batch : batches_) batch.rounds.clear();
  const int rows = shard_.rows(), edges = static_cast<int>(bounds.edges), places = places_count_;
  places_.reset();
  places_.emplace(Places{{backend_, places, rows + 1},
                         {backend_, places, rows},
                         {backend_, places, edges},
                         {backend_, places, bounds.sent},
                         {backend_, places, edges},
                         {backend_, places, rows},
                         {backend_, places, shard_.shards > 1 ? rows : 0}});
  due_.emplace(backend_, rows, edges);
}

template <class Backend>
bool RoundPlan<Backend>::has(std::int64_t t) const {
  const Batch& batch = batches_[batch_number(t)];
  if (batch.rounds.empty()) return false;
  if (!repeats()) return batch.first <= t && t < batch.first + rounds_per_batch();
  for (int r = 0; r < shard_.replicas; ++r)
    if (round(t).rate[r] != rules_.averaging_rate(r, t)) return false;
  return true;
}

template <class Backend>
bool RoundPlan<Backend>::prepare(std::int64_t first, std::int64_t last) {
  CHECK(first >= 0 && first < last && last - first <= kRoundsAhead, "rounds ", first, " to ", last);
  if (repeats()) last = first + 1;  // later rounds may have other rates, and stand in the same places
  bool outgrown = false;
  for (std::int64_t t = first; t < last;) {
    if (!has(t) && make_batch(t)) {
      outgrown = true;
      t = first;  // all places are new
    } else {
      t += rounds_per_batch() - t % rounds_per_batch();
    }
  }
  return outgrown;
}

template <class Backend>
bool RoundPlan<Backend>::make_batch(std::int64_t t) {
  Batch& batch = batches_[batch_number(t)];
  const std::int64_t first = repeats() ? t : t - t % rounds_per_batch();
  std::vector<MadeRound> made;
  RoundBounds most = bounds_;
  for (std::int64_t round = first; round < first + rounds_per_batch(); ++round) {
    made.push_back(make_round(rules_, shard_, round));
    most.edges = std::max(most.edges, std::ssize(made.back().slot));
    most.halo = std::max(most.halo, static_cast<int>(made.back().halo.nodes.size()));
    most.sent = std::max(most.sent, static_cast<int>(made.back().halo.sent.size()));
  }
  const bool outgrown = most.edges > bounds_.edges || most.halo > bounds_.halo || most.sent > bounds_.sent;
  if (outgrown) allocate(with_room(bounds_, most, shard_));
  batch.first = first;
  fill(batch, std::move(made));
  return outgrown;
}

template <class Backend>
void RoundPlan<Backend>::fill(Batch& batch, std::vector<MadeRound> made) {
  wait_for(batch.uploaded);  // the upload reads what is overwritten now; it was begun two batches ago
  const int rounds = rounds_per_batch();
  batch.rounds.assign(rounds, {});
  for (int i = 0; i < rounds; ++i) {
    const auto place = static_cast<int>((batch.first + i) % places_count_);
    write(made[i], place);
    made[i].halo.sent_there =
        places_->sent.span().subspan(static_cast<std::size_t>(place) * bounds_.sent, made[i].halo.sent.size());
    batch.rounds[place % rounds] = {std::move(made[i].halo), std::move(made[i].rate)};
  }
  read_.record(Queue::kOps);
  wait_for(Queue::kUploads, read_);
  upload(static_cast<int>(batch.first % places_count_ / rounds) * rounds, rounds);
  batch.uploaded.record(Queue::kUploads);
  batch.awaited = false;
}

template <class Backend>
void RoundPlan<Backend>::write(const MadeRound& made, int place) {
  copy_to_row(made.begin, places_->begin.host(), place);
  copy_to_row(made.copies, places_->copies.host(), place);
  copy_to_row(made.slot, places_->slot.host(), place);
  copy_to_row(made.halo.sent, places_->sent.host(), place);
  copy_to_row(made.weight, places_->weight.host(), place);
  copy_to_row(made.self_weight, places_->self_weight.host(), place);
  copy_to_row(made.is_boundary, places_->is_boundary.host(), place);
}

template <class Backend>
void RoundPlan<Backend>::upload(int first_place, int count) {
  places_->begin.upload(first_place, count);
  places_->copies.upload(first_place, count);
  places_->slot.upload(first_place, count);
  places_->sent.upload(first_place, count);
  places_->weight.upload(first_place, count);
  places_->self_weight.upload(first_place, count);
  places_->is_boundary.upload(first_place, count);
}

template <class Backend>
void RoundPlan<Backend>::play(std::int64_t t) {
  CHECK(has(t), "round ", t, " is not prepared");
  Batch& batch = batches_[batch_number(t)];
  if (!batch.awaited) {
    wait_for(Queue::kOps, batch.uploaded);
    batch.awaited = true;
  }
  playing_halo_ = &round(t).halo;
}

template <class Backend>
PlannedRound RoundPlan<Backend>::at(const std::int64_t* due) {
  if (drawn_) draw(due);
  due_->load(backend_,
             {.nodes = shard_.rows(),
              .most_edges = bounds_.edges,
              .begin = places_->begin.span(),
              .copies = places_->copies.span(),
              .slot = places_->slot.span(),
              .weight = places_->weight.span(),
              .self_weight = places_->self_weight.span(),
              .is_boundary = places_->is_boundary.span()},
             due);
  return {.edges = due_->edges(), .copies = due_->copies(), .halo = &playing_halo_, .number = due};
}

/// Draws the edges of round *due, in place of the edges drawn before.
template <class Backend>
void RoundPlan<Backend>::draw(const std::int64_t* due) {
  draw_random_out(backend_,
                  {.topology = rules_.drawn->topology,
                   .seed = drawn_->seed.span(),
                   .round = due,
                   .begin = places_->begin.span(),
                   .slot = places_->slot.span()},
                  drawn_->scratch);
}

template class RoundPlan<Cpu>;
template class RoundPlan<Cuda>;

}  // namespace sparsepush
