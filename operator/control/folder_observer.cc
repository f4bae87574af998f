#include "operator/control/folder_observer.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/overloaded.h"

namespace searchsync::control {
namespace {

std::vector<model::SourceBinding> bindings_of(const model::Resources& resources,
                                              const model::SearchIndex& index) {
  std::vector<model::SourceBinding> bindings;
  for (const auto& binding : resources.bindings) {
    if (binding.spec.index_ref == index.metadata.name &&
        binding.metadata.namespace_ == index.metadata.namespace_) {
      bindings.push_back(binding);
    }
  }
  return bindings;
}

}  // namespace

FolderObserver::FolderObserver(Options options)
    : options_(std::move(options)),
      secrets_(options_.secrets),
      resources_(options_.directory),
      notes_(options_.state_dir / "notes.json") {}

plan::Observed FolderObserver::observe() {
  plan::Observed observed;
  observed.resources_known = resources_.known();
  observed.resources = resources_.resources();
  observed.secret_hashes = hash_secrets(options_.secrets, secret_names(observed.resources));
  if (observed.secret_hashes != secret_hashes_) {
    engines_.clear();
    clusters_.clear();
    secret_hashes_ = observed.secret_hashes;
  }
  for (const auto& [key, notes] : notes_.all()) {
    auto& seen = observed.indices[key];
    seen.notes = notes;
    const bool declared = std::ranges::any_of(
        observed.resources.indices,
        [&](const model::SearchIndex& index) { return plan::object_key(index.metadata) == key; });
    const bool remove =
        notes.declared && notes.declared->spec.deletion_policy == model::DeletionPolicy::kDelete;
    if (observed.resources_known && !declared && remove) {
      observe_index(*notes.declared, {}, seen);
    }
  }
  for (const auto& index : observed.resources.indices) {
    observe_index(index, bindings_of(observed.resources, index),
                  observed.indices[plan::object_key(index.metadata)]);
  }
  return observed;
}

void FolderObserver::observe_index(const model::SearchIndex& index,
                                   std::span<const model::SourceBinding> bindings,
                                   plan::ObservedIndex& seen) {
  const auto key = plan::object_key(index.metadata);
  const auto reached = [&]() -> Result<void> {
    ASSIGN_OR_RETURN(Engine* const one, engine(index));
    return one->observe(index, seen);
  }();
  if (!reached) {
    seen.engine_fault = reached.error().message;
    engines_.erase(key);
    return;
  }
  const auto read = [&]() -> Result<void> {
    ASSIGN_OR_RETURN(LogCluster* const one, cluster(index));
    return one->observe(index, bindings, seen);
  }();
  if (!read) seen.kafka_fault = read.error().message;
}

Result<Engine*> FolderObserver::engine(const model::SearchIndex& index) {
  auto& place = engines_[plan::object_key(index.metadata)];
  if (place == nullptr || place->spec() != index.spec.elasticsearch) {
    ASSIGN_OR_RETURN(place, Engine::connect(index.spec.elasticsearch, secrets_));
  }
  return place.get();
}

Result<LogCluster*> FolderObserver::cluster(const model::SearchIndex& index) {
  auto& place = clusters_[plan::object_key(index.metadata)];
  if (place == nullptr || place->spec() != index.spec.kafka) {
    ASSIGN_OR_RETURN(place, LogCluster::create(index.spec.kafka, secrets_));
  }
  return place.get();
}

Result<model::SearchIndex> FolderObserver::find(const plan::ObjectKey& owner) const {
  for (const auto& index : resources_.resources().indices) {
    if (plan::object_key(index.metadata) == owner) return index;
  }
  const auto notes = notes_.all().find(owner);
  if (notes != notes_.all().end() && notes->second.declared) return *notes->second.declared;
  return fail(ErrorCode::kNotFound, "SearchIndex " + owner + " is not declared any more");
}

template <class Step>
Result<void> FolderObserver::on_engine(const plan::ObjectKey& owner, const Step& step) {
  ASSIGN_OR_RETURN(const auto index, find(owner));
  ASSIGN_OR_RETURN(Engine* const one, engine(index));
  return one->execute(step);
}

template <class Step>
Result<void> FolderObserver::on_cluster(const plan::ObjectKey& owner, const Step& step) {
  ASSIGN_OR_RETURN(const auto index, find(owner));
  ASSIGN_OR_RETURN(LogCluster* const one, cluster(index));
  return one->execute(step);
}

// The note comes before the record and after it, so that a record that nobody noted cannot be.
Result<void> FolderObserver::send_lead(const plan::ObjectKey& owner, const plan::SendLead& step) {
  ASSIGN_OR_RETURN(const auto index, find(owner));
  ASSIGN_OR_RETURN(LogCluster* const one, cluster(index));
  const auto known = notes_.all().find(owner);
  auto notes = known == notes_.all().end() ? plan::IndexNotes{} : known->second;
  auto& lead = notes.leads[step.document_log];
  lead = {.generation = step.generation, .offsets = {}, .draining = step.draining};
  RETURN_IF_ERROR(notes_.update(owner, notes));
  ASSIGN_OR_RETURN(lead.offsets, one->execute(step));
  return notes_.update(owner, std::move(notes));
}

// One that nobody noted does no harm: another is sent.
Result<void> FolderObserver::send_begin(const plan::ObjectKey& owner, const plan::SendBegin& step) {
  ASSIGN_OR_RETURN(const auto index, find(owner));
  ASSIGN_OR_RETURN(LogCluster* const one, cluster(index));
  ASSIGN_OR_RETURN(auto offsets, one->execute(step));
  const auto known = notes_.all().find(owner);
  if (known == notes_.all().end()) return {};
  auto notes = known->second;
  const auto generation = notes.generations.find(step.index);
  if (generation == notes.generations.end() || !generation->second.gate) return {};
  generation->second.gate->begin = std::move(offsets);
  return notes_.update(owner, std::move(notes));
}

Result<void> FolderObserver::execute(const plan::Step& step) {
  const auto& owner = step.owner;
  return std::visit(
      Overloaded{
          [&](const plan::UpdateNotes& action) { return notes_.update(owner, action.notes); },
          [&](const plan::ForgetNotes&) { return notes_.forget(owner); },
          [&](const plan::CreateTopic& action) { return on_cluster(owner, action); },
          [&](const plan::DeleteTopic& action) { return on_cluster(owner, action); },
          [&](const plan::DeleteGroup& action) { return on_cluster(owner, action); },
          [&](const plan::SendLead& action) { return send_lead(owner, action); },
          [&](const plan::SendBegin& action) { return send_begin(owner, action); },
          [&](const plan::CreateIndex& action) { return on_engine(owner, action); },
          [&](const plan::UpdateSettings& action) { return on_engine(owner, action); },
          [&](const plan::SwapAlias& action) { return on_engine(owner, action); },
          [&](const plan::DeleteIndex& action) { return on_engine(owner, action); },
          [](const plan::EnsureWorkload&) -> Result<void> {
            CHECK(false, "workloads are the supervisor's");
            return {};
          },
          [](const plan::RemoveWorkload&) -> Result<void> {
            CHECK(false, "workloads are the supervisor's");
            return {};
          }},
      step.action);
}

}  // namespace searchsync::control
