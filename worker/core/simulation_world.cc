#include "worker/core/simulation_world.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace searchsync::worker::simulation {

void World::route(const Change& change) {
  for (const auto& name : bindings_of(change.table)) {
    if (name == "peer" && partitioned == Partitioned::kCleaned) continue;
    BindingId id = 0;
    while (pipeline_.binding(id).name != name) ++id;
    const std::string key = std::to_string(change.key), row = change.row.dump();
    Message message{
        .kind = MessageKind::kRow, .binding = id, .key = key, .position = {0, change.position}};
    if (!change.row.is_null()) message.row = row;
    const auto to = partition_of(id, key, kPartitions);
    append(to, encode(message));
    if (chance(late_rows)) late_.push_back({to, encode(message), step});
  }
}

void World::add_group(Generation generation) {
  groups.push_back(std::make_unique<Group>(*this, generation));
  for (size_t i = 0; i < kPartitions * (chance(0.5) ? 2 : 1); ++i) {
    begins_.emplace_back(generation, static_cast<int32_t>(i % kPartitions));
  }
}

void World::tick(bool faults) {
  ++step;
  groups[below(groups.size())]->tick(faults);
  if (!begins_.empty() && chance(0.01)) {
    const auto at = begins_.begin() + static_cast<ptrdiff_t>(below(begins_.size()));
    append(at->second, encode_begin(at->first));
    begins_.erase(at);
  }
  if (!late_.empty() && chance(0.03)) {
    const auto at = late_.begin() + static_cast<ptrdiff_t>(below(late_.size()));
    append(at->partition, at->message);
    late_.erase(at);
  }
  if (faults && touches > 0 && chance(touches)) touch();
  if (chance(0.1)) end_day();
  if (compacts && chance(0.02)) {
    auto& log = logs[below(kPartitions)];
    compact(log, below(log.size() + 1));
  }
}

// Any root: one that was deleted, or that there never was, too.
void World::touch() {
  const std::string key = std::to_string(below(6));
  append(partition_of(pipeline_.root, key, kPartitions),
         encode({.kind = MessageKind::kTouch, .binding = pipeline_.root, .key = key}));
}

void World::age() {
  for (size_t day = 0; day < 20; ++day) {
    days_.push_back(++step);
    for (auto& log : logs) compact(log, log.size());
  }
}

void World::end_day() {
  const uint64_t began = days_.back();
  const bool heard =
      std::ranges::none_of(late_, [&](const Late& late) { return late.decided < began; }) &&
      std::ranges::all_of(groups, [&](const auto& group) { return group->has_heard(began); });
  if (heard && step > began) days_.push_back(step);
}

// Of the records older than min.compaction.lag.ms keeps the newest of each key. A deletion stays
// for delete.retention.ms after the first time that it was all that was left.
void World::compact(std::vector<LogEntry>& log, size_t most) {
  std::map<std::string, LogEntry*> newest;
  for (size_t i = 0; i < most && log[i].appended < days_ago(kLagDays); ++i) {
    if (log[i].compacted) continue;
    const auto [at, added] = newest.try_emplace(log[i].message.key, &log[i]);
    if (added) continue;
    at->second->compacted = true;
    at->second = &log[i];
  }
  for (const auto& [key, entry] : newest) {
    if (entry->message.value) continue;
    if (entry->cleaned == 0) entry->cleaned = days_.size();
    if (days_.size() > entry->cleaned + kUsableDays && chance(0.5)) entry->compacted = true;
  }
}

Group::Group(World& world, Generation generation)
    : world_(world),
      generation_(generation),
      pipeline_(make_pipeline(generation, world.partitioned)),
      members_(kPartitions) {
  for (size_t p = 0; p < kPartitions; ++p) start(p);
}

void Group::start(size_t partition) {
  auto& member = members_[partition];
  member.worker = std::make_unique<PartitionWorker>(
      pipeline_,
      PartitionWorker::Options{.partition = Partition(static_cast<int32_t>(partition)),
                               .partitions = kPartitions,
                               .generation = generation_,
                               .inline_edges_max = world_.inline_edges_max,
                               .log_retention = kRetain},
      member.store);
  member.worker->start({.identity = "log",
                        .committed = Offset(member.committed),
                        .end = Offset(static_cast<int64_t>(world_.logs[partition].size())),
                        .now_ms = static_cast<int64_t>(world_.step),
                        .oldest_usable_ms = static_cast<int64_t>(world_.days_ago(kUsableDays))});
  for (auto& work : member.worker->resume()) take(member, std::move(work));
}

// The partition moves: the old owner's effects may still land, the new one starts from nothing, or
// from what a disk kept.
void Group::crash(size_t partition) {
  auto& member = members_[partition];
  for (auto& effect : member.under_way) {
    if (world_.chance(0.5) && build(member, effect)) zombies_.push_back(std::move(effect));
  }
  member.under_way.clear();
  member.worker.reset();
  const bool lost = member.saved.empty() || world_.chance(0.4);
  member.store.restore(lost ? MemoryStore::Map{} : member.saved[world_.below(member.saved.size())]);
  start(partition);
}

void Group::take(Member& member, Work work) {
  EXPECT_TRUE(work.refused.empty() || generation_ != Generation(1));
  const auto add = [&](auto& pieces) {
    for (auto& piece : pieces) {
      member.under_way.push_back({work.batch, std::move(piece), world_.step});
    }
  };
  add(work.sends);
  add(work.touched);
  add(work.refused);
  member.saved.push_back(member.store.map());
  if (member.saved.size() > 4) {  // an old one stays for long
    const size_t forgotten = world_.chance(0.02) ? 0 : 1 + world_.below(3);
    member.saved.erase(member.saved.begin() + static_cast<ptrdiff_t>(forgotten));
  }
}

void Group::read(size_t partition) {
  auto& member = members_[partition];
  const auto& log = world_.logs[partition];
  std::vector<LogRecord> records;
  const size_t most = 1 + world_.below(5);
  auto at = static_cast<size_t>(member.worker->applied().get());
  for (; at < log.size() && records.size() < most; ++at) {
    const auto& message = log[at].message;
    if (log[at].compacted) continue;
    records.push_back({.offset = Offset(static_cast<int64_t>(at)),
                       .key = message.key,
                       .value = message.value,
                       .meta = message.value ? std::optional<std::string_view>() : message.meta,
                       .timestamp_ms = static_cast<int64_t>(log[at].appended)});
  }
  if (records.empty()) {
    member.worker->reached(Offset(static_cast<int64_t>(log.size())),
                           static_cast<int64_t>(world_.step));
  } else {
    take(member, member.worker->apply(records));
  }
  ASSERT_FALSE(member.worker->halted()) << member.worker->halted()->message;
}

// Makes a touched document a write. False if there is nothing to write.
bool Group::build(Member& member, Effect& effect) {
  const auto* touch = std::get_if<TouchedRoots::Touch>(&effect.what);
  if (touch == nullptr) return true;
  auto made = member.worker->write(touch->root, touch->changed_at_us, *model::read_time(kNow));
  if (!made) return false;
  effect.what = std::move(*made);
  return true;
}

void Group::perform(const Effect& effect, Arrives arrives) {
  if (const auto* send = std::get_if<Send>(&effect.what)) {
    world_.append(send->partition, send->message);
  } else if (const auto* write = std::get_if<Write>(&effect.what)) {
    perform(*write, arrives);
  }
}

// At most one time in a while: a worker begins anew whenever it has started again.
void Group::clean_up(Member& member) {
  if (world_.partitioned != Partitioned::kCleaned) return;
  auto work = member.worker->clean_up(1 + world_.below(3), *model::read_time(kNow));
  if (work && work->pieces() > 0) take(member, std::move(*work));
}

// Each place is an index of its own: what arrives in one need not in another.
void Group::perform(const Write& write, Arrives arrives) {
  if (world_.partitioned == Partitioned::kNo) {
    if (arrives == Arrives::kAll) perform("", write.root, write.version, write.document);
    return;
  }
  const auto at = [&](const Place& place, const std::optional<std::string>& document) {
    if (arrives == Arrives::kSome && world_.chance(0.5)) return;
    perform(model::period_name(model::Every::kDay, place.period) + "/" + place.routing, write.root,
            write.version, document);
  };
  if (write.place) at(*write.place, write.document);
  for (const auto& place : write.left) at(place, std::nullopt);
}

void Group::perform(const std::string& place, const std::string& root, int64_t version,
                    const std::optional<std::string>& document) {
  auto& indexed = index_[{place, root}];
  if (version < indexed.version) return;
  EXPECT_TRUE(version > indexed.version || document == indexed.document)
      << "two documents with version " << version;
  EXPECT_FALSE(went_back(indexed.document, document));
  indexed = {version, document};
}

// Sends of one worker keep their order (one idempotent producer); writes overtake each other
// freely.
void Group::perform_one(Member& member, bool faults) {
  std::vector<size_t> pool;
  bool send_seen = false;
  for (size_t i = 0; i < member.under_way.size(); ++i) {
    if (member.under_way[i].is_send() && std::exchange(send_seen, true)) continue;
    pool.push_back(i);
  }
  const auto chosen =
      member.under_way.begin() + static_cast<ptrdiff_t>(pool[world_.below(pool.size())]);
  if (!build(member, *chosen)) {
    const uint64_t batch = chosen->batch;
    member.under_way.erase(chosen);
    member.worker->acknowledge(batch);
    return;
  }
  if (const auto* write = std::get_if<Write>(&chosen->what); write && faults) {
    if (world_.chance(0.2)) return;  // on its way, for long
    if (world_.chance(0.1)) {        // pushed back, perhaps not all of it
      perform(*write, Arrives::kSome);
      chosen->what = TouchedRoots::Touch{write->root, write->changed_at_us};
      return;
    }
  }
  perform(*chosen);
  if (faults && world_.chance(0.1)) return;  // done, but the answer was lost: done again later
  const uint64_t batch = chosen->batch;
  member.under_way.erase(chosen);
  member.worker->acknowledge(batch);
}

void Group::tick(bool faults) {
  const size_t partition = world_.below(kPartitions);
  auto& member = members_[partition];
  const size_t choice = world_.below(100);
  if (retired_) {
    // Only its zombies are left.
  } else if (choice < 45) {
    read(partition);
  } else if (choice < 50) {
    if (auto work = member.worker->fan_out(1 + world_.below(3))) take(member, std::move(*work));
    clean_up(member);
  } else if (choice < 95) {
    if (!member.under_way.empty()) perform_one(member, faults);
    const int64_t committable = member.worker->committable().get();
    EXPECT_GE(committable, 0);
    if (world_.chance(0.3)) member.committed = std::max(member.committed, committable);
  } else if (faults && choice >= 100 - world_.crashes_percent) {
    crash(partition);
  }
  if (!zombies_.empty() && world_.chance(0.05)) {
    const auto at = zombies_.begin() + static_cast<ptrdiff_t>(world_.below(zombies_.size()));
    perform(*at);
    zombies_.erase(at);
  }
}

void Group::retire() {
  const std::string lead = encode_lead(Generation(2)).key;
  for (size_t p = 0; p < kPartitions; ++p) {
    const auto& log = world_.logs[p];
    const auto last = std::ranges::find(log.rbegin(), log.rend(), lead,
                                        [](const LogEntry& entry) { return entry.message.key; });
    if (members_[p].committed < log.rend() - last) return;
  }
  for (auto& member : members_) {
    for (auto& effect : member.under_way) {
      if (world_.chance(0.5) && build(member, effect)) zombies_.push_back(std::move(effect));
    }
    member.under_way.clear();
  }
  retired_ = true;
}

bool Group::has_heard(uint64_t before) const {
  const auto decided_before = [&](const Effect& effect) { return effect.decided < before; };
  if (std::ranges::any_of(zombies_, decided_before)) return false;
  for (size_t p = 0; p < kPartitions && !retired_; ++p) {
    if (std::ranges::any_of(members_[p].under_way, decided_before)) return false;
    const auto& log = world_.logs[p];
    const auto& member = members_[p];
    const auto next =
        static_cast<size_t>(std::min(member.committed, member.worker->applied().get()));
    if (next < log.size() && log[next].appended < before) return false;
  }
  return true;
}

bool Group::quiet() const {
  if (!zombies_.empty()) return false;
  for (size_t p = 0; p < kPartitions && !retired_; ++p) {
    const auto& member = members_[p];
    if (!member.under_way.empty() || member.worker->fanning_out()) return false;
    if (member.worker->committable().get() < static_cast<int64_t>(world_.logs[p].size()))
      return false;
  }
  return true;
}

std::map<std::string, json> Group::documents() const {
  std::map<std::string, json> all;
  for (const auto& [key, indexed] : index_) {
    const auto& [place, root] = key;
    if (!indexed.document) continue;
    EXPECT_FALSE(all.contains(root)) << root << " is in more than one place, one is " << place;
    all[root] = json::parse(*indexed.document);
    if (world_.partitioned != Partitioned::kNo) all[root]["@place"] = place;
  }
  return all;
}

}  // namespace searchsync::worker::simulation
