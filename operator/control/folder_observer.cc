#include "operator/control/folder_observer.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/model/role_config.h"
#include "operator/control/drop_slot.h"

namespace searchsync::control {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kDropAgain{30};

// Of a database of which nothing is known now: whether it is declared cannot be told.
bool may_be_of_a_table(const plan::Observed& observed, const plan::ObjectKey& key) {
  return std::ranges::any_of(observed.tables, [&](const auto& one) {
    return !one.second.known && key.starts_with(one.first + "-");
  });
}

}  // namespace

FolderObserver::FolderObserver(Options options)
    : options_(std::move(options)),
      secrets_(options_.secrets),
      resources_(options_.directory),
      tables_(options_.state_dir / "tables", secrets_),
      notes_(options_.state_dir / "notes.json") {}

plan::Observed FolderObserver::observe() {
  plan::Observed observed;
  observed.resources_known = resources_.known();
  observed.resources = resources_.resources();
  tables_.add(observed);
  observed_ = observed.resources;
  observed.captures = captures();
  observed.secret_hashes = hash_secrets(options_.secrets, secret_names(observed.resources));
  secret_hashes_ = observed.secret_hashes;
  for (const auto& [key, notes] : notes_.all()) {
    if (may_be_of_a_table(observed, key)) continue;
    auto& seen = observed.indices[key];
    seen.notes = notes;
    const bool declared = std::ranges::any_of(
        observed.resources.indices,
        [&](const model::SearchIndex& index) { return plan::object_key(index.metadata) == key; });
    const bool remove =
        notes.declared && notes.declared->spec.deletion_policy == model::DeletionPolicy::kDelete;
    if (observed.resources_known && !declared && remove) {
      backends_.observe({*notes.declared, secrets_, secret_hashes_}, {}, seen);
    }
  }
  for (const auto& index : observed.resources.indices) {
    if (index.spec.tables) {
      observed.indices[plan::object_key(index.metadata)];
      continue;
    }
    backends_.observe({index, secrets_, secret_hashes_},
                      plan::bindings_of(observed.resources, index),
                      observed.indices[plan::object_key(index.metadata)]);
  }
  return observed;
}

Result<model::SearchIndex> FolderObserver::find(const plan::ObjectKey& owner) const {
  for (const auto& index : observed_.indices) {
    if (plan::object_key(index.metadata) == owner) return index;
  }
  const auto notes = notes_.all().find(owner);
  if (notes != notes_.all().end() && notes->second.declared) return *notes->second.declared;
  return fail(ErrorCode::kNotFound, "SearchIndex " + owner + " is not declared any more");
}

Result<void> FolderObserver::execute(const plan::Step& step) {
  if (std::holds_alternative<plan::ForgetNotes>(step.action)) return notes_.forget(step.owner);
  if (const auto* drop = std::get_if<plan::DropSlot>(&step.action)) return execute(*drop);
  ASSIGN_OR_RETURN(const auto index, find(step.owner));
  return backends_.execute(step, {index, secrets_, secret_hashes_}, notes_);
}

std::filesystem::path FolderObserver::capture_file(const std::string& capture) const {
  return options_.state_dir / "captures" / (capture + ".json");
}

std::set<std::string> FolderObserver::captures() const {
  std::set<std::string> names;
  std::error_code none;
  for (const auto& file :
       std::filesystem::directory_iterator(options_.state_dir / "captures", none)) {
    const auto name = file.path().stem().string();
    const auto later = drop_again_.find(name);
    const bool waits = later != drop_again_.end() && Clock::now() < later->second;
    if (file.path().extension() == ".json" && !waits) names.insert(name);
  }
  return names;
}

Result<void> FolderObserver::note_capture(const plan::Workload& capture) {
  const auto file = capture_file(capture.name);
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) {
    return fail(ErrorCode::kUnavailable, file.parent_path().string() + ": " + error.message());
  }
  return write_file(file, capture.config);
}

Result<void> FolderObserver::execute(const plan::DropSlot& action) {
  const auto file = capture_file(action.capture);
  ASSIGN_OR_RETURN(const auto text, read_file(file));
  ASSIGN_OR_RETURN(const auto config, model::parse_capture_config(text));
  if (auto dropped = drop_slot(config, secrets_); !dropped) {
    drop_again_[action.capture] = Clock::now() + kDropAgain;
    return fail(dropped.error(), fmt::format("to give the slot up, delete {}", file.string()));
  }
  std::error_code error;
  std::filesystem::remove(file, error);
  if (error) return fail(ErrorCode::kUnavailable, file.string() + ": " + error.message());
  return {};
}

}  // namespace searchsync::control
