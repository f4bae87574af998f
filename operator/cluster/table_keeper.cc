#include "operator/cluster/table_keeper.h"

#include <fmt/core.h>

#include "lib/base/log.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

std::string describe(const kube::ResourceType& type, const kube::ObjectKey& key) {
  return fmt::format("{} {}", type.kind, key.name);
}

void note(const std::string& what, const kube::ApiError& error, TableKeeper::Outcome& outcome) {
  outcome.whole = false;
  if (outcome.problem.empty()) {
    outcome.problem = fmt::format("could not {}: {}", what, error.message);
  }
}

}  // namespace

TableKeeper::Outcome TableKeeper::carry_out(const TableChanges& changes, const Meta& database,
                                            const std::function<bool()>& may_act) {
  Outcome outcome;
  std::string failed;
  for (const auto& change : changes.apply) {
    if (!may_act()) return {.whole = false};
    // Its index may be somebody else's, who has not asked for its binding.
    if (change.table == failed) continue;
    if (const auto done = apply(change, database); !done) {
      failed = change.table;
      note("apply " + describe(change.manifest.type, change.manifest.key), done.error(), outcome);
    }
  }
  for (const auto& change : changes.remove) {
    if (!may_act()) return {.whole = false};
    if (const auto done = remove(change, database); !done) {
      note("delete " + describe(change.type, change.key), done.error(), outcome);
    }
  }
  return outcome;
}

kube::ApiResult<void> TableKeeper::apply(const TableChanges::Apply& change, const Meta& database) {
  const auto& [type, key, text] = change.manifest;
  const bool is_new = change.uid.empty();
  // What somebody has made under that name since then stays theirs: an apply would join the two.
  auto object = is_new
                    ? client_.create(type, key.namespace_, text)
                    : client_.apply(type, key, text, {.field_manager = std::string(kFieldManager)});
  if (object && !is_as_applied(change.manifest, *object)) {
    object = client_.merge_patch(type, key, correction(change.manifest, *object));
  }
  if (!object) return std::unexpected(object.error());
  store_.put(type, *object);
  if (!is_as_applied(change.manifest, *object)) {
    return std::unexpected(
        kube::ApiError{Error{ErrorCode::kConflict,
                             "the API server has it otherwise, whatever is written: see "
                             "whether a webhook changes it"},
                       kube::ApiReason::kConflict});
  }
  log::info("{}: table {}: {} is {}", to_string(database.key), change.table, describe(type, key),
            is_new ? "made" : "changed");
  if (is_new && type == search_index_type()) {
    recorder_.record(search_index_type(), database, EventType::kNormal, "TableJoined", "Apply",
                     fmt::format("table {} is kept as {}", change.table, key.name));
  }
  return {};
}

kube::ApiResult<void> TableKeeper::remove(const TableChanges::Remove& change,
                                          const Meta& database) {
  kube::ApiResult<void> done;
  if (change.retain) {
    const auto patch = fmt::format(
        R"({{"metadata":{{"uid":"{}"}},"spec":{{"deletionPolicy":"Retain"}}}})", change.uid);
    const auto patched = client_.merge_patch(change.type, change.key, patch);
    if (!patched) done = std::unexpected(patched.error());
  }
  if (done) done = client_.remove(change.type, change.key, {.uid = change.uid});
  if (!done) {
    // Somebody was faster, and there may be another one of that name.
    const auto reason = done.error().reason;
    const bool gone = reason == kube::ApiReason::kNotFound || reason == kube::ApiReason::kConflict;
    return gone ? kube::ApiResult<void>() : done;
  }
  log::info("{}: {} is deleted: its table is not kept any more", to_string(database.key),
            describe(change.type, change.key));
  if (change.type == search_index_type()) {
    recorder_.record(search_index_type(), database, EventType::kNormal, "TableLeft", "Delete",
                     fmt::format("{} is deleted: its table is not kept any more", change.key.name));
  }
  return {};
}

}  // namespace searchsync::cluster
