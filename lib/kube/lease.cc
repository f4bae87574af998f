#include "lib/kube/lease.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "lib/base/overloaded.h"
#include "lib/base/time_text.h"
#include "lib/kube/client.h"
#include "lib/metrics/registry.h"

namespace searchsync::kube {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

const ResourceType& lease_type() {
  static const ResourceType type{.group = "coordination.k8s.io",
                                 .version = "v1",
                                 .plural = "leases",
                                 .kind = "Lease",
                                 .scope = Scope::kNamespaced};
  return type;
}

// Nothing if it is no Lease with a resourceVersion.
std::optional<LeaseRecord> read_record(const Json& lease) {
  const Json::json_pointer version("/metadata/resourceVersion");
  if (!lease.is_object() || !lease.contains(version) || !lease.at(version).is_string()) {
    return std::nullopt;
  }
  LeaseRecord record{.holder = {}, .version = lease.at(version).get<std::string>()};
  const Json::json_pointer holder("/spec/holderIdentity");
  if (lease.contains(holder) && lease.at(holder).is_string()) {
    record.holder = lease.at(holder).get<std::string>();
  }
  const Json::json_pointer duration("/spec/leaseDurationSeconds");
  if (lease.contains(duration) && lease.at(duration).is_number_unsigned()) {
    record.duration = seconds(std::min<uint64_t>(lease.at(duration).get<uint64_t>(), 86'400));
  }
  return record;
}

}  // namespace

struct LeaderElection::Impl {
  Impl(Transport& to, metrics::Registry& registry, LeaderElectionOptions chosen,
       LeaderElectionCallbacks called)
      : transport(to),
        options(std::move(chosen)),
        callbacks(std::move(called)),
        master(registry.gauge("leader_election_master_status",
                              "Gauge of if the reporting system is master of the relevant lease, 0 "
                              "indicates backup, 1 indicates master.",
                              {{"name", options.lease.name}})),
        core(options.identity, options.times) {}

  // Constant after construction.
  Transport& transport;
  const LeaderElectionOptions options;
  const LeaderElectionCallbacks callbacks;
  const metrics::Gauge master;

  // Own synchronisation.
  std::atomic<Clock::time_point> leads_from{Clock::time_point::min()};
  std::atomic<Clock::time_point> leads_until{Clock::time_point::min()};

  mutable std::mutex mutex;
  std::condition_variable_any wake;
  std::string holder;  // guarded by mutex

  // Of the thread alone.
  LeaseCore core;
  Json lease = Json::object();  // as last seen, so that what others wrote into it is kept
  bool led = false;             // the callbacks know
  bool warned = false;

  std::jthread thread;  // last: stops before the rest goes

  void run(const std::stop_token& stop);
  void look();
  void take(const std::string& version);
  void give_back(const std::string& version);
  void take_note(const Json& seen);
  void failed(const ApiError& error);
  void publish();
  Json make_lease(const std::string& version, const std::string& identity) const;
  ApiResult<Json> write(const std::string& version, const Json& object);
  milliseconds timeout() const;
  // Each request has a timeout of its own, and none waits for others.
  Client client() const {
    return Client(transport, {.timeout = timeout(), .retries_max = 0, .retry_wait_max = {}});
  }
};

LeaderElection::LeaderElection(Transport& transport, metrics::Registry& registry,
                               LeaderElectionOptions options, LeaderElectionCallbacks callbacks)
    : impl_(std::make_unique<Impl>(transport, registry, std::move(options), std::move(callbacks))) {
  impl_->master.set(0);
  impl_->thread = std::jthread([this](const std::stop_token& stop) { impl_->run(stop); });
}

LeaderElection::~LeaderElection() {
  release();
}

bool LeaderElection::is_leader() const {
  const auto now = Clock::now();
  return impl_->leads_from.load() <= now && now < impl_->leads_until.load();
}

std::string LeaderElection::holder() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->holder;
}

void LeaderElection::release() {
  if (!impl_->thread.joinable()) return;
  impl_->thread.request_stop();
  impl_->thread.join();
}

void LeaderElection::Impl::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto now = Clock::now();
    publish();
    const auto todo = core.next(now);
    std::visit(Overloaded{[&](const LeaseCore::Look&) { look(); },
                          [&](const LeaseCore::Take& what) { take(what.version); },
                          [&](const LeaseCore::Wait& wait) {
                            auto until = wait.until;
                            if (core.leads(now)) until = std::min(until, core.leads_until());
                            if (now < core.leads_from()) until = std::min(until, core.leads_from());
                            std::unique_lock lock(mutex);
                            wake.wait_until(lock, stop, until, [] { return false; });
                          }},
               todo);
  }
  const auto version = core.release(Clock::now());
  publish();
  if (version) give_back(*version);
}

// Tells of what has changed.
void LeaderElection::Impl::publish() {
  const bool leads = core.leads(Clock::now());
  // In this order: a leader that was deposed must not seem to lead in between.
  leads_from.store(core.leads_from());
  leads_until.store(core.leads_until());
  {
    const std::lock_guard lock(mutex);
    holder = core.holder();
  }
  if (leads == led) return;
  led = leads;
  master.set(leads ? 1 : 0);
  log::info("lease {}: {} {}", to_string(options.lease), options.identity,
            leads ? "leads" : "does not lead any more");
  const auto& callback = leads ? callbacks.started_leading : callbacks.stopped_leading;
  if (callback) callback();
}

// A leader's requests end before its time does, so that its end is told when it comes.
milliseconds LeaderElection::Impl::timeout() const {
  const auto usual = options.times.renew_deadline / 2;
  const auto now = Clock::now();
  if (!core.leads(now)) return usual;
  const auto left = std::chrono::duration_cast<milliseconds>(core.leads_until() - now);
  return std::clamp(left, milliseconds(1), usual);
}

void LeaderElection::Impl::take_note(const Json& seen) {
  lease = seen;
  if (std::exchange(warned, false)) log::info("lease {}: reached again", to_string(options.lease));
}

void LeaderElection::Impl::failed(const ApiError& error) {
  core.on_failed(Clock::now());
  if (std::exchange(warned, true)) return;
  log::warning("lease {}: {}", to_string(options.lease), error.message);
}

void LeaderElection::Impl::look() {
  const auto text = client().get(lease_type(), options.lease);
  if (!text && text.error().reason == ApiReason::kNotFound) {
    take_note(Json::object());
    core.on_seen(std::nullopt, Clock::now());
    return;
  }
  if (!text) return failed(text.error());
  const Json seen = Json::parse(*text, nullptr, false);
  const auto record = read_record(seen);
  if (!record) return failed(to_api_error({ErrorCode::kMalformed, "what was read is no Lease"}));
  take_note(seen);
  core.on_seen(record, Clock::now());
}

Json LeaderElection::Impl::make_lease(const std::string& version,
                                      const std::string& identity) const {
  const auto now = format_micro_time(
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()));
  Json made = lease;
  made["apiVersion"] = lease_type().api_version();
  made["kind"] = lease_type().kind;
  made["metadata"]["name"] = options.lease.name;
  made["metadata"]["namespace"] = options.lease.namespace_;
  if (!version.empty()) made["metadata"]["resourceVersion"] = version;
  Json& spec = made["spec"];
  if (!spec.is_object()) spec = Json::object();
  // What is given back has not changed hands.
  if (!identity.empty() &&
      (!spec.contains("holderIdentity") || spec["holderIdentity"] != identity)) {
    const Json before = spec.contains("leaseTransitions") ? spec["leaseTransitions"] : Json();
    spec["leaseTransitions"] = before.is_number_integer() ? before.get<int64_t>() + 1 : 0;
    spec["acquireTime"] = now;
  }
  const auto duration = std::chrono::ceil<seconds>(options.times.duration).count();
  spec["holderIdentity"] = identity;
  spec["leaseDurationSeconds"] = identity.empty() ? 1 : duration;
  spec["renewTime"] = now;
  return made;
}

ApiResult<Json> LeaderElection::Impl::write(const std::string& version, const Json& object) {
  const std::string body = object.dump(-1, ' ', false, Json::error_handler_t::replace);
  auto text = version.empty() ? client().create(lease_type(), options.lease.namespace_, body)
                              : client().replace(lease_type(), options.lease, body);
  if (!text) return std::unexpected(std::move(text).error());
  Json written = Json::parse(*text, nullptr, false);
  if (read_record(written)) return written;
  return std::unexpected(to_api_error({ErrorCode::kMalformed, "what was written is no Lease"}));
}

void LeaderElection::Impl::take(const std::string& version) {
  const auto asked = Clock::now();
  const auto written = write(version, make_lease(version, options.identity));
  if (written) {
    take_note(*written);
    core.on_taken(*read_record(*written), asked, Clock::now());
    return;
  }
  const ApiReason reason = written.error().reason;
  if (reason == ApiReason::kConflict || reason == ApiReason::kAlreadyExists ||
      reason == ApiReason::kNotFound) {
    core.on_conflict(Clock::now());
  } else {
    failed(written.error());
  }
}

void LeaderElection::Impl::give_back(const std::string& version) {
  auto written = write(version, make_lease(version, ""));
  if (!written && written.error().reason == ApiReason::kConflict) {
    // Perhaps by a renewal of ours whose answer was lost.
    look();
    const auto newer = core.release(Clock::now());
    if (newer) written = write(*newer, make_lease(*newer, ""));
  }
  if (written) return;
  log::warning("lease {}: not given back, so that the next leader waits for {} ms: {}",
               to_string(options.lease), options.times.duration.count(), written.error().message);
}

}  // namespace searchsync::kube
