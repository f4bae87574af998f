#include "operator/cluster/operator_main.h"

#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <random>
#include <thread>
#include <vector>

#include "lib/base/backoff.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/kube/client.h"
#include "lib/kube/credentials.h"
#include "lib/kube/lease.h"
#include "lib/kube/reflector.h"
#include "lib/kube/transport.h"
#include "lib/metrics/registry.h"
#include "operator/cluster/capture_reconciler.h"
#include "operator/cluster/index_reconciler.h"
#include "operator/cluster/names.h"
#include "operator/cluster/selected_namespaces.h"
#include "operator/cluster/watches.h"
#include "operator/cluster/work_queue.h"

namespace searchsync::cluster {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kIndexPrefix = "index ";
constexpr std::string_view kCapturesPrefix = "captures ";
constexpr std::chrono::seconds kCapturesAgain{30};
constexpr std::chrono::milliseconds kListingAgain{200};
constexpr Backoff::Options kBackoff{.first = std::chrono::milliseconds(500),
                                    .longest = std::chrono::milliseconds(60'000)};
// Of the API server, which protects itself ("API Priority and Fairness") and whose 429 we keep to:
// how many of us write at once is what limits us. This is for the case that we write in a circle.
constexpr double kRequestsPerSecond = 500;
// A cluster is asked less often than a folder: its watches say most of what there is to know.
// Of what arrives for those who sleep kWakeEvery says, for all at once.
constexpr plan::Policy kPolicy{.look_again_busy = std::chrono::milliseconds(1'000),
                               .look_again_idle = std::chrono::milliseconds(10'000),
                               .look_again_asleep = std::chrono::milliseconds(10'000)};
constexpr std::chrono::seconds kWakeEvery{2};

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

// Some threads are kept for what people wait for, however much else there is to do.
size_t others_max(int threads) {
  return static_cast<size_t>(std::max(1, threads - 2));
}

enum class Outcome {
  kDone,
  kFailed,
  kPutOff,  // nothing was looked at yet
};

// How reconciling goes, under the names that controllers are known by.
class Metrics {
 public:
  explicit Metrics(metrics::Registry& registry)
      : depth_(registry.gauge("workqueue_depth", "Objects that wait to be reconciled",
                              {{"name", "searchsync"}})),
        waited_(registry.histogram("workqueue_queue_duration_seconds",
                                   "How long objects wait to be reconciled",
                                   metrics::latency_buckets_seconds(), {{"name", "searchsync"}})),
        seconds_(registry.histogram(
            "controller_runtime_reconcile_time_seconds", "How long a reconciliation takes",
            metrics::latency_buckets_seconds(), {{"controller", "searchindex"}})),
        edits_(registry.histogram("searchsync_operator_edit_start_seconds",
                                  "From an edit's arrival to the start of its reconciliation",
                                  metrics::latency_buckets_seconds())),
        done_(reconciliations(registry, "success")),
        failed_(reconciliations(registry, "error")),
        put_off_(reconciliations(registry, "requeue_after")) {}

  void started(const WorkQueue::Item& item, size_t waiting) const {
    const double waited = std::chrono::duration<double>(Clock::now() - item.since).count();
    log::debug("{}: begins for {}, {:.1f} ms after it was due", item.key, to_string(item.urgency),
               waited * 1e3);
    depth_.set(static_cast<double>(waiting));
    waited_.observe(waited);
    if (item.urgency == Urgency::kEdit) edits_.observe(waited);
  }
  void ended(Clock::time_point started, Outcome outcome) const {
    seconds_.observe(std::chrono::duration<double>(Clock::now() - started).count());
    switch (outcome) {
      case Outcome::kDone:
        return done_.add();
      case Outcome::kFailed:
        return failed_.add();
      case Outcome::kPutOff:
        return put_off_.add();
    }
  }

 private:
  static metrics::Counter reconciliations(metrics::Registry& registry, const char* result) {
    return registry.counter("controller_runtime_reconcile_total", "Reconciliations",
                            {{"controller", "searchindex"}, {"result", result}});
  }

  metrics::Gauge depth_;
  metrics::Histogram waited_;
  metrics::Histogram seconds_;
  metrics::Histogram edits_;
  metrics::Counter done_;
  metrics::Counter failed_;
  metrics::Counter put_off_;
};

class Operator {
 public:
  Operator(const OperatorOptions& options, metrics::Registry& registry, kube::Transport& transport,
           kube::Reflectors& reflectors)
      : options_(options),
        registry_(registry),
        transport_(transport),
        client_(transport, {.qps = kRequestsPerSecond,
                            .burst = static_cast<int>(kRequestsPerSecond),
                            .user_agent = "searchsync-operator"}),
        reflectors_(reflectors),
        queue_(others_max(options.threads)),
        store_([this](const auto& index, Cause cause) { changed(index, cause); },
               [this](const auto& namespace_) {
                 queue_.add(std::string(kCapturesPrefix) + namespace_, Urgency::kWorld);
               }),
        watches_(reflectors, store_),
        secrets_(client_),
        workloads_(store_, client_, scraper_, options.pods),
        recorder_(client_, options.identity),
        catalogs_(secrets_, [this](const auto& index) { changed(index, Cause::kWorld); }),
        tables_(store_, client_, recorder_),
        index_metrics_(registry),
        indices_(parts(), kPolicy),
        captures_(parts()),
        metrics_(registry),
        server_({.listen = options.listen}) {}

  ~Operator() {
    if (selecting_) reflectors_.stop(*selecting_);
  }

  Result<void> run(const std::stop_token& stop) {
    health_.not_ready("watches", "what is declared is not listed yet");
    http::add_operations_routes(server_, registry_, health_);
    RETURN_IF_ERROR(server_.start());
    if (!options_.address_file.empty()) {
      RETURN_IF_ERROR(http::write_address_file(options_.address_file, server_.address()));
    }
    std::jthread following;
    if (options_.namespace_selector.empty()) {
      watches_.watch(options_.namespaces.empty() ? std::set<std::string>{kAllNamespaces}
                                                 : options_.namespaces);
    } else if (!follow_selected(stop, following)) {
      return {};
    }
    if (!watches_.wait_listed(stop)) return {};
    health_.ready("watches");
    log::info("watching {}; metrics at http://{}/metrics", describe_namespaces(),
              server_.address());
    for (const auto& index : store_.indices()) changed(index, Cause::kEdit);
    lead(stop);
    server_.stop();
    return {};
  }

 private:
  // Watches the namespaces that have the label now, and has a thread do so with those that get it
  // and lose it. False: stop was requested before.
  bool follow_selected(const std::stop_token& stop, std::jthread& thread) {
    selecting_ = reflectors_.start({.type = namespace_type(),
                                    .label_selector = options_.namespace_selector,
                                    .content = kube::Content::kMetadata},
                                   selected_);
    const auto first = selected_.next(stop);
    if (!first) return false;
    watches_.watch(*first);
    thread = std::jthread([this](const std::stop_token& own) {
      while (const auto now = selected_.next(own)) {
        log::info("{} namespaces have the label {}", now->size(), options_.namespace_selector);
        watches_.watch(*now);
      }
    });
    return true;
  }

  std::string describe_namespaces() const {
    if (!options_.namespace_selector.empty()) {
      return "the namespaces labelled " + options_.namespace_selector;
    }
    return options_.namespaces.empty() ? "all namespaces" : "the namespaces given";
  }

  IndexReconciler::Parts parts() {
    return {.store = store_,
            .client = client_,
            .secrets = secrets_,
            .backends = backends_,
            .workloads = workloads_,
            .catalogs = catalogs_,
            .tables = tables_,
            .recorder = recorder_,
            .metrics = index_metrics_,
            .may_act = [this](const auto& namespace_) {
              return leads() && watches_.state(namespace_) == Watches::State::kListed;
            }};
  }

  bool leads() const {
    const auto* election = election_.load();
    return election != nullptr && election->is_leader();
  }

  void changed(const plan::ObjectKey& index, Cause cause) {
    queue_.add(std::string(kIndexPrefix) + index,
               cause == Cause::kEdit ? Urgency::kEdit : Urgency::kWorld);
  }

  // Stands for election until stop, and works whenever it is elected.
  void lead(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any turn;
    bool elected = false;
    kube::LeaderElection election(transport_, registry_,
                                  {.lease = {options_.lease_namespace, options_.lease_name},
                                   .identity = options_.identity,
                                   .times = {}},
                                  {.started_leading =
                                       [&] {
                                         const std::lock_guard lock(mutex);
                                         elected = true;
                                         turn.notify_all();
                                       },
                                   .stopped_leading =
                                       [&] {
                                         const std::lock_guard lock(mutex);
                                         elected = false;
                                         turn.notify_all();
                                       }});
    election_ = &election;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      turn.wait(lock, stop, [&] { return elected; });
      if (stop.stop_requested()) break;
      lock.unlock();
      log::info("leading as {}", options_.identity);
      // Whatever happened while another led, it is looked at now.
      indices_.forget_plans();
      for (const auto& index : store_.indices()) changed(index, Cause::kWorld);
      auto workers = start_workers();
      lock.lock();
      turn.wait(lock, stop, [&] { return !elected; });
      lock.unlock();
      for (auto& worker : workers) worker.request_stop();
      workers.clear();
      catalogs_.forget_all();
      log::info("not leading any more");
      lock.lock();
    }
    lock.unlock();
    election.release();
    election_ = nullptr;
  }

  std::vector<std::jthread> start_workers() {
    std::vector<std::jthread> workers;
    for (int i = 0; i < options_.threads; ++i) {
      workers.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
    workers.emplace_back([this](const std::stop_token& stop) { wake(stop); });
    return workers;
  }

  // Has those looked at for whom something arrives while none of their workers runs.
  void wake(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    while (!stopped.wait_for(lock, stop, kWakeEvery, [&] { return stop.stop_requested(); })) {
      for (const auto& index : backends_.woken()) changed(index, Cause::kWorld);
    }
  }

  void work(const std::stop_token& stop) {
    while (const auto item = queue_.take(stop)) {
      const auto started = Clock::now();
      metrics_.started(*item, queue_.waiting());
      const std::string_view key = item->key;
      const auto outcome =
          key.starts_with(kIndexPrefix)
              ? reconcile_index(std::string(key.substr(kIndexPrefix.size())))
              : reconcile_captures(std::string(key.substr(kCapturesPrefix.size())));
      metrics_.ended(started, outcome);
      queue_.done(item->key);
    }
  }

  Outcome reconcile_index(const plan::ObjectKey& index) {
    const auto key = std::string(kIndexPrefix) + index;
    const auto namespace_ = parse_key(index).namespace_;
    // A part of what is declared must not be taken for the whole.
    const auto state = watches_.state(namespace_);
    const bool declared = store_.index(index) != nullptr;
    if (state == Watches::State::kListing || (state != Watches::State::kListed && declared)) {
      queue_.add_after(key, kListingAgain);
      return Outcome::kPutOff;
    }
    const auto captures = std::string(kCapturesPrefix) + namespace_;
    const auto round = indices_.run(index);
    if (round.gone) {
      captures_.forget(index);
      queue_.add(captures, Urgency::kWorld);
      if (!round.settling && !round.failed) {
        forget_failures(key);
        return Outcome::kDone;
      }
    }
    if (!round.database.empty()) changed(round.database, Cause::kWorld);
    if (!round.gone && captures_.note(index, round.readers, round.hold)) {
      queue_.add(captures, Urgency::kEdit);
    }
    if (round.settling) {
      queue_.add_after(key, round.look_again, Urgency::kEdit);
      return Outcome::kPutOff;
    }
    again(key, round.failed, round.look_again);
    return round.failed ? Outcome::kFailed : Outcome::kDone;
  }

  Outcome reconcile_captures(const std::string& namespace_) {
    const auto key = std::string(kCapturesPrefix) + namespace_;
    const auto state = watches_.state(namespace_);
    if (state == Watches::State::kListing) queue_.add_after(key, kListingAgain);
    if (state != Watches::State::kListed) {
      forget_failures(key);
      return state == Watches::State::kListing ? Outcome::kPutOff : Outcome::kDone;
    }
    const bool done = captures_.run(namespace_);
    again(key, !done, kCapturesAgain);
    return done ? Outcome::kDone : Outcome::kFailed;
  }

  // After a while that is longer each time it fails, and never the same for all.
  void again(const std::string& key, bool failed, std::chrono::milliseconds after) {
    if (failed) {
      const std::lock_guard lock(mutex_);
      auto place = failures_.try_emplace(key, kBackoff, stable_hash(key)).first;
      after = std::max(place->second.next(), kPolicy.look_again_busy / 2);
    } else {
      forget_failures(key);
      after += after * static_cast<int>(stable_hash(key) % 20) / 100;
    }
    queue_.add_after(key, after);
  }

  void forget_failures(const std::string& key) {
    const std::lock_guard lock(mutex_);
    failures_.erase(key);
  }

  const OperatorOptions& options_;
  metrics::Registry& registry_;
  kube::Transport& transport_;
  kube::Client client_;
  kube::Reflectors& reflectors_;
  WorkQueue queue_;
  Store store_;
  Watches watches_;
  SelectedNamespaces selected_;
  std::optional<kube::ReflectorId> selecting_;
  SecretCache secrets_;
  control::Backends backends_;
  control::Scraper scraper_;
  WorkloadKeeper workloads_;
  Recorder recorder_;
  Catalogs catalogs_;
  TableKeeper tables_;
  control::IndexMetrics index_metrics_;
  IndexReconciler indices_;
  CaptureReconciler captures_;
  Metrics metrics_;
  http::Health health_;
  std::atomic<kube::LeaderElection*> election_ = nullptr;

  std::mutex mutex_;
  std::map<std::string, Backoff> failures_;  // by key of the queue; guarded by mutex_

  http::Server server_;  // last: its threads use what is above
};

}  // namespace

Result<void> run_operator(const OperatorOptions& given, std::stop_token stop) {
  auto options = given;
  if (!options.pods.pod_spec.empty() && !is_json_object(options.pods.pod_spec)) {
    return fail(ErrorCode::kInvalidArgument, "--pod-spec: expected a JSON object");
  }
  ASSIGN_OR_RETURN(auto config, kube::find_cluster_config(options.cluster));
  log::info("cluster: {} ({})", config.server, config.origin);
  if (options.lease_namespace.empty()) options.lease_namespace = config.default_namespace;
  if (options.identity.empty()) options.identity = host_name();
  options.identity += fmt::format("_{:08x}", std::random_device()());
  metrics::Registry registry;
  ASSIGN_OR_RETURN(const auto credentials, kube::Credentials::create(std::move(config)));
  ASSIGN_OR_RETURN(const auto transport, kube::connect(*credentials, registry));
  ASSIGN_OR_RETURN(const auto reflectors, kube::Reflectors::create(*credentials, registry));
  return Operator(options, registry, *transport, *reflectors).run(stop);
}

}  // namespace searchsync::cluster
