#include "operator/control/backends.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/overloaded.h"
#include "lib/model/pipeline.h"
#include "operator/plan/renew.h"

namespace searchsync::control {
namespace {

// A connection that nobody has used for so long is closed.
constexpr std::chrono::minutes kIdleMax{10};

// All that decides on where to connect, and as whom; but for what else is in the index's other
// secrets. Those of another namespace are others, even if they are called the same.
std::string key_of(const Backends::Access& access, const std::vector<std::string>& addresses,
                   const std::optional<model::SecretRef>& credentials,
                   const std::optional<model::SecretKeyRef>& ca) {
  auto key = fmt::format("{}", fmt::join(addresses, " "));
  const auto add = [&](const std::string& secret, const std::string& entry) {
    const auto hash = access.secret_hashes.find(secret);
    key += fmt::format("\n{}/{}/{}={}", access.index.metadata.namespace_, secret, entry,
                       hash == access.secret_hashes.end() ? "" : hash->second);
  };
  if (credentials) add(credentials->name, "*");
  if (ca) add(ca->name, ca->key);
  return key;
}

std::string engine_key(const Backends::Access& access) {
  const auto& spec = access.index.spec.elasticsearch;
  return key_of(access, spec.urls, spec.credentials_secret_ref, spec.ca_secret_ref);
}

}  // namespace

template <class Connection, class Connect>
Result<std::shared_ptr<Connection>> Backends::find(Pool<Connection>& pool, const std::string& key,
                                                   Connect connect) {
  const auto now = Clock::now();
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(pool.entries, [&](const auto& entry) {
      return entry.first != key && now - entry.second.used > kIdleMax;
    });
    const auto known = pool.entries.find(key);
    if (known != pool.entries.end()) {
      known->second.used = now;
      return known->second.connection;
    }
  }
  // Without the lock: it may take long, and others need not wait for it.
  ASSIGN_OR_RETURN(auto made, connect());
  const std::lock_guard lock(mutex_);
  const auto [place, added] =
      pool.entries.try_emplace(key, std::shared_ptr<Connection>(std::move(made)), now);
  return place->second.connection;
}

Result<std::shared_ptr<Engine>> Backends::engine(const Access& access) {
  const auto& spec = access.index.spec.elasticsearch;
  return find(engines_, engine_key(access), [&] { return Engine::connect(spec, access.secrets); });
}

Result<std::shared_ptr<LogCluster>> Backends::cluster(const Access& access) {
  const auto& spec = access.index.spec.kafka;
  const auto key =
      key_of(access, spec.bootstrap_servers, spec.credentials_secret_ref, spec.ca_secret_ref);
  return find(clusters_, key, [&] { return LogCluster::create(spec, access.secrets); });
}

void Backends::observe(const Access& access, std::span<const model::SourceBinding> bindings,
                       plan::ObservedIndex& seen) {
  const auto reached = [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto one, engine(access));
    RETURN_IF_ERROR(one->observe(access.index, seen));
    if (!bindings.empty()) {
      one->run_checks(access.index, plan::declared_name(seen, access.index, bindings), seen);
    }
    return {};
  }();
  if (!reached) {
    seen.engine_fault = reached.error().message;
    // What answers next may be another engine, or another version: it is asked again.
    const std::lock_guard lock(mutex_);
    engines_.entries.erase(engine_key(access));
    return;
  }
  const auto read = [&]() -> Result<void> {
    ASSIGN_OR_RETURN(const auto one, cluster(access));
    return one->observe(access.index, bindings, seen);
  }();
  if (!read) {
    seen.kafka_fault = read.error().message;
    return;
  }
  int64_t records = 0;
  std::set<std::string> sources;
  for (const auto& binding : bindings) sources.insert(model::row_topic(binding));
  for (const auto& name : sources) {
    const auto topic = seen.topics.find(name);
    if (topic == seen.topics.end()) continue;
    for (const auto& end : topic->second.end) records += end.get();
  }
  const auto key = plan::object_key(access.index.metadata);
  seen.arriving_per_second = arrivals(key, records);
  if (access.awake == Awake::kYes) {
    const std::lock_guard lock(mutex_);
    sleepers_.erase(key);
  } else if (auto one = cluster(access)) {
    const std::lock_guard lock(mutex_);
    sleepers_[key] = {std::move(*one), std::move(sources), records};
  }
}

std::vector<plan::ObjectKey> Backends::woken() {
  std::map<std::shared_ptr<LogCluster>, std::set<std::string>> asked;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, sleeper] : sleepers_) {
      asked[sleeper.cluster].insert(sleeper.topics.begin(), sleeper.topics.end());
    }
  }
  std::vector<plan::ObjectKey> all;
  for (const auto& [one, topics] : asked) {
    const auto counted = one->count_records(topics);
    if (!counted) continue;
    const std::lock_guard lock(mutex_);
    for (auto& [key, sleeper] : sleepers_) {
      if (sleeper.cluster != one) continue;
      int64_t records = 0;
      for (const auto& topic : sleeper.topics) {
        const auto found = counted->find(topic);
        if (found != counted->end()) records += found->second;
      }
      if (std::exchange(sleeper.records, records) != records) all.push_back(key);
    }
  }
  return all;
}

void Backends::forget(const plan::ObjectKey& index) {
  const std::lock_guard lock(mutex_);
  arrivals_.erase(index);
  sleepers_.erase(index);
}

std::optional<double> Backends::arrivals(const plan::ObjectKey& index, int64_t records) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  if (now - pruned_ > kIdleMax) {
    std::erase_if(arrivals_, [&](const auto& one) { return now - one.second.at > kIdleMax; });
    pruned_ = now;
  }
  const auto [place, added] = arrivals_.try_emplace(index, now, records, std::nullopt);
  auto& known = place->second;
  const double seconds = std::chrono::duration<double>(now - known.at).count();
  if (seconds >= 1) {
    // Fewer: a topic was made anew.
    const auto more = std::max<int64_t>(0, records - known.records);
    known = {.at = now, .records = records, .per_second = static_cast<double>(more) / seconds};
  }
  return known.per_second;
}

template <class Action>
Result<void> Backends::on_engine(const Access& access, const Action& action) {
  ASSIGN_OR_RETURN(const auto one, engine(access));
  return one->execute(action);
}

template <class Action>
Result<void> Backends::on_cluster(const Access& access, const Action& action) {
  ASSIGN_OR_RETURN(const auto one, cluster(access));
  return one->execute(action);
}

// The note comes before the record and after it, so that a record that nobody noted cannot be.
Result<void> Backends::send_lead(const Access& access, const plan::SendLead& action, Notes& notes) {
  const auto owner = plan::object_key(access.index.metadata);
  ASSIGN_OR_RETURN(const auto one, cluster(access));
  auto now = notes.get(owner);
  auto& lead = now.leads[action.document_log];
  lead = {.generation = action.generation,
          .offsets = {},
          .draining = action.draining,
          .sent_at = action.now};
  RETURN_IF_ERROR(notes.update(owner, now));
  ASSIGN_OR_RETURN(lead.offsets, one->execute(action));
  return notes.update(owner, std::move(now));
}

// One that nobody noted does no harm: another is sent.
Result<void> Backends::send_begin(const Access& access, const plan::SendBegin& action,
                                  Notes& notes) {
  const auto owner = plan::object_key(access.index.metadata);
  ASSIGN_OR_RETURN(const auto one, cluster(access));
  ASSIGN_OR_RETURN(auto offsets, one->execute(action));
  auto now = notes.get(owner);
  const auto generation = now.generations.find(action.index);
  if (generation == now.generations.end() || !generation->second.gate) return {};
  generation->second.gate->begin = std::move(offsets);
  return notes.update(owner, std::move(now));
}

Result<void> Backends::execute(const plan::Step& step, const Access& access, Notes& notes) {
  const auto not_ours = []() -> Result<void> {
    CHECK(false, "workloads are not kept here");
    return {};
  };
  return std::visit(
      Overloaded{
          [&](const plan::UpdateNotes& action) { return notes.update(step.owner, action.notes); },
          [&](const plan::ForgetNotes&) { return notes.forget(step.owner); },
          [&](const plan::CreateTopic& action) { return on_cluster(access, action); },
          [&](const plan::DeleteTopic& action) { return on_cluster(access, action); },
          [&](const plan::DeleteGroup& action) { return on_cluster(access, action); },
          [&](const plan::SendLead& action) { return send_lead(access, action, notes); },
          [&](const plan::SendBegin& action) { return send_begin(access, action, notes); },
          [&](const plan::CreateIndex& action) { return on_engine(access, action); },
          [&](const plan::UpdateSettings& action) { return on_engine(access, action); },
          [&](const plan::CreatePartitions& action) { return on_engine(access, action); },
          [&](const plan::SetPartitions& action) { return on_engine(access, action); },
          [&](const plan::ShowPartitions& action) { return on_engine(access, action); },
          [&](const plan::DropPartitions& action) { return on_engine(access, action); },
          [&](const plan::AddFields& action) { return on_engine(access, action); },
          [&](const plan::WriteMeta& action) { return on_engine(access, action); },
          [&](const plan::PutWriteAlias& action) { return on_engine(access, action); },
          [&](const plan::SwapAlias& action) { return on_engine(access, action); },
          [&](const plan::DeleteIndex& action) { return on_engine(access, action); },
          [&](const plan::EnsureWorkload&) { return not_ours(); },
          [&](const plan::RemoveWorkload&) { return not_ours(); },
          [&](const plan::DropSlot&) { return not_ours(); }},
      step.action);
}

}  // namespace searchsync::control
