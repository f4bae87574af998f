#include "operator/cluster/status_notes.h"

#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "operator/cluster/names.h"
#include "operator/control/notes_file.h"

namespace searchsync::cluster {

using nlohmann::json;

Result<std::string> write_resource_status(kube::Client& client, const kube::ResourceType& type,
                                          const Meta& meta, const std::string& status) {
  const json object = {{"apiVersion", type.api_version()},
                       {"kind", type.kind},
                       {"metadata",
                        {{"name", meta.key.name},
                         {"namespace", meta.key.namespace_},
                         {"uid", meta.uid},
                         {"resourceVersion", meta.resource_version}}},
                       {"status", json::parse(status)}};
  auto written =
      client.apply(type, meta.key, object.dump(), {.field_manager = std::string(kFieldManager)},
                   kube::Subresource::kStatus);
  if (!written) return std::unexpected(written.error());
  return std::move(*written);
}

StatusNotes::StatusNotes(Store& store, kube::Client& client,
                         std::shared_ptr<const DeclaredIndex> index)
    : store_(store), client_(client), index_(std::move(index)) {
  renew();
}

void StatusNotes::renew() {
  if (auto now = store_.index(to_string(index_->meta.key))) index_ = std::move(now);
  auto status = model::parse_search_index_status(index_->status.empty() ? "{}" : index_->status);
  status_ = status ? std::move(*status) : model::SearchIndexStatus{};
}

plan::IndexNotes StatusNotes::get(const plan::ObjectKey& index) const {
  plan::IndexNotes notes;
  if (status_.notes) {
    auto read = control::index_notes_from_json(status_.notes->text);
    if (read) {
      notes = std::move(*read);
    } else {
      log::warning("{}: its notes cannot be read, going on without: {}", index,
                   read.error().message);
    }
  }
  // The name of the index cannot change here, so what was declared is what is.
  notes.declared = index_->resource;
  return notes;
}

Result<void> StatusNotes::update(const plan::ObjectKey&, plan::IndexNotes notes) {
  notes.declared.reset();
  auto status = status_;
  status.notes = model::JsonText{control::notes_to_json(notes)};
  return put(std::move(status));
}

Result<void> StatusNotes::forget(const plan::ObjectKey&) {
  auto status = status_;
  status.notes.reset();
  return put(std::move(status));
}

Result<void> StatusNotes::write(model::SearchIndexStatus status) {
  status.notes = status_.notes;
  return put(std::move(status));
}

Result<void> StatusNotes::put(model::SearchIndexStatus status) {
  auto object =
      write_resource_status(client_, search_index_type(), index_->meta, model::to_json(status));
  if (!object) {
    // What somebody has edited meanwhile is on its way here: the next round goes on from that.
    const bool passes = object.error().code == ErrorCode::kConflict;
    return fail(passes ? ErrorCode::kUnavailable : object.error().code, object.error().message);
  }
  store_.put(search_index_type(), *object);
  renew();
  return {};
}

}  // namespace searchsync::cluster
