#include "lib/elastic/index_body.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "lib/elastic/bulk.h"
#include "lib/elastic/flat_settings.h"
#include "lib/model/pipeline.h"

namespace searchsync::elastic {
namespace {

using Json = nlohmann::json;

struct Managed {
  std::string_view setting;
  std::string_view instead;  // what the user should do
};

constexpr std::array<Managed, 4> kManaged{{
    {"index.number_of_shards", "use spec.shards"},
    {"index.number_of_replicas", "use spec.replicas"},
    {"index.refresh_interval", "use spec.refreshInterval"},
    {"index.gc_deletes", "SearchSync sets it, so that a late write cannot undo a delete"},
}};

Result<Json> parse_object(std::string_view text, std::string_view what) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} must be a JSON object", what));
  }
  return json;
}

Result<Json> settings_of(const model::SearchIndexSpec& spec) {
  Json settings = Json::object();
  if (spec.settings) {
    ASSIGN_OR_RETURN(const Json users, parse_object(spec.settings->text, "spec.settings"));
    settings = flat_settings(users);
    for (const Managed& managed : kManaged) {
      if (!settings.contains(managed.setting)) continue;
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("spec.settings: {} is not yours to set: {}", managed.setting,
                              managed.instead));
    }
  }
  settings["index.number_of_shards"] = spec.shards;
  settings["index.number_of_replicas"] = spec.replicas;
  settings["index.refresh_interval"] = "-1";  // until it is complete: nobody reads it before
  settings["index.gc_deletes"] = fmt::format("{}h", model::kGcDeletes.count());
  return settings;
}

Result<Json> mappings_of(const model::SearchIndex& index, Generation generation,
                         std::string_view document_log) {
  ASSIGN_OR_RETURN(Json mappings, parse_object(index.spec.mappings.text, "spec.mappings"));
  Json& meta = mappings["_meta"];
  if (meta.is_null()) meta = Json::object();
  if (!meta.is_object() || meta.contains("searchsync")) {
    return fail(ErrorCode::kInvalidArgument,
                "spec.mappings._meta must be an object without \"searchsync\", which is ours");
  }
  meta["searchsync"] = {
      {"generation", generation.get()},
      {"documentLog", document_log},
      {"index", fmt::format("{}/{}", index.metadata.namespace_, index.metadata.name)}};
  return mappings;
}

// of: empty: it is no partition.
Result<std::string> body_of(const model::SearchIndex& index, const IndexName& name,
                            std::string_view of, Generation generation,
                            std::string_view document_log) {
  ASSIGN_OR_RETURN(Json settings, settings_of(index.spec));
  ASSIGN_OR_RETURN(Json mappings, mappings_of(index, generation, document_log));
  if (!of.empty()) mappings["_meta"]["searchsync"]["partitionOf"] = of;
  const Json body = {{"settings", std::move(settings)},
                     {"mappings", std::move(mappings)},
                     {"aliases", {{write_alias(name), {{"is_hidden", true}}}}}};
  return body.dump();
}

}  // namespace

Result<std::string> index_body(const model::SearchIndex& index, const IndexName& name,
                               Generation generation, std::string_view document_log) {
  return body_of(index, name, "", generation, document_log);
}

Result<std::string> partition_body(const model::SearchIndex& index, const IndexName& name,
                                   const IndexName& of, Generation generation,
                                   std::string_view document_log) {
  return body_of(index, name, of.get(), generation, document_log);
}

}  // namespace searchsync::elastic
