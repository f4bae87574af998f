#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "lib/kube/client.h"
#include "lib/model/fault.h"
#include "lib/model/status.h"
#include "operator/cluster/catalogs.h"
#include "operator/cluster/recorder.h"
#include "operator/cluster/secret_cache.h"
#include "operator/cluster/store.h"
#include "operator/cluster/table_keeper.h"
#include "operator/cluster/workload_keeper.h"
#include "operator/control/backends.h"
#include "operator/control/index_metrics.h"
#include "operator/plan/expand.h"
#include "operator/plan/plan.h"

namespace searchsync::cluster {

class StatusNotes;

// One SearchIndex of a cluster: observes it, has it planned, carries the plan out and says in the
// resources' status how it stands. Thread-safe, but not for one index at a time.
class IndexReconciler {
 public:
  struct Parts {
    Store& store;
    kube::Client& client;
    SecretCache& secrets;
    control::Backends& backends;
    WorkloadKeeper& workloads;
    Catalogs& catalogs;
    TableKeeper& tables;
    Recorder& recorder;
    control::IndexMetrics& metrics;
    // Asked before each step: false as soon as another operator may lead, or the namespace is not
    // to be worked in.
    std::function<bool(const std::string& namespace_)> may_act;
  };

  // All references of `parts` must outlive this.
  IndexReconciler(Parts parts, plan::Policy policy) : parts_(std::move(parts)), policy_(policy) {}

  struct Round {
    bool gone = false;  // there is no such SearchIndex
    // A step or a write could not be done; it is to be tried again with backoff.
    bool failed = false;
    bool settling = false;  // it was edited a moment ago, and there may be more to come
    std::vector<model::PipelineConfig> readers;  // what has to be captured for it
    plan::Hold hold = plan::Hold::kNo;
    std::chrono::milliseconds look_again{0};
    plan::ObjectKey database;  // of a table: for its database this is news; empty: it is not
  };
  Round run(const plan::ObjectKey& key);

  // Of all tables it is to be found out again what is served: another operator may have led.
  void forget_plans();

 private:
  struct Case;

  Round run_declared(Case& index);
  // index: whose resources are without faults.
  Round run_database(Case& index);
  void observe_database(Case& index, const plan::Expansion& expansion,
                        const Catalogs::Seen& catalog);
  struct HeldPlans {
    plan::TablePlans plans;
    std::vector<std::shared_ptr<const plan::IndexPlan>> held;  // for as long as `plans` is used
  };
  HeldPlans table_plans(const plan::ObservedTables& seen);
  // Of a table: what of it was served when it was planned last.
  std::optional<model::PipelineConfig> remembered_service(const plan::ObjectKey& key);
  // Of a table what its database is planned by. Returns Round::database.
  plan::ObjectKey remember(const Case& index, plan::IndexPlan plan);
  Round run_deleted(Case& index);
  bool remove_data(Case& index);
  // How long until what was declared counts.
  std::chrono::milliseconds settles_in(const plan::ObjectKey& key) const;
  void add_related(Case& index);
  Round do_nothing(Case& index, plan::Phase phase, std::string reason, std::string message,
                   std::span<const model::Fault> faults = {});
  bool report_unplanned(Case& index, plan::Phase phase, std::span<const model::Fault> faults);
  bool report_unbound(const plan::ObjectKey& key);
  void observe(Case& index, std::span<const model::SourceBinding> bindings);
  // Whether all could be done.
  bool execute(Case& index, const plan::IndexPlan& plan);
  Result<void> execute(Case& index, const plan::Step& step);
  enum class Finalizer { kAbsent, kPresent };
  Result<void> set_finalizer(Case& index, Finalizer wanted);
  void record(const Case& index, EventType event, std::string_view reason, std::string_view action,
              std::string_view note);
  // Whether the status of the index, or of a binding, is to be written now.
  template <class Status>
  bool is_due(const plan::ObjectKey& index, const std::string& binding, const Status& next,
              const Status& former);
  void written(const plan::ObjectKey& index, const std::string& binding);
  void record_phase(const Case& index, const plan::IndexStatus& status);
  void record_drift(const Case& index, const model::SearchIndexStatus& next,
                    const model::SearchIndexStatus& former);
  bool write_status(Case& index, const plan::IndexStatus& status,
                    std::span<const plan::BindingStatus> bindings);
  using Bindings = std::vector<std::shared_ptr<const DeclaredBinding>>;
  bool write_binding(const plan::ObjectKey& index, const Bindings& bindings,
                     const plan::BindingStatus& status);

  const Parts parts_;
  const plan::Policy policy_;

  struct Memory {
    std::optional<plan::Failure> failure;         // of the last round
    std::shared_ptr<const plan::IndexPlan> plan;  // of a table: the last one, without steps
    // When a status was written last, by binding; "": that of the index.
    std::map<std::string, std::chrono::steady_clock::time_point> written;
  };
  std::mutex mutex_;
  std::map<plan::ObjectKey, Memory> memory_;  // guarded by mutex_
};

}  // namespace searchsync::cluster
