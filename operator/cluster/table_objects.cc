#include "operator/cluster/table_objects.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/model/resource_schema.h"
#include "operator/cluster/apply.h"
#include "operator/cluster/names.h"
#include "operator/plan/table_names.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;

enum class Kinship { kOurs, kLeaving, kForeign };

template <class Resource>
Kinship kinship(const Declared<Resource>& object, const Meta& database) {
  const auto& name = database.key.name;
  const bool owned = object.meta.owners.contains(database.uid);
  const bool left_alone = object.meta.owners.empty() && object.database == name;
  if (owned || left_alone) return object.meta.deleted_at ? Kinship::kLeaving : Kinship::kOurs;
  return object.owner == name ? Kinship::kLeaving : Kinship::kForeign;
}

bool same_engine(const model::SearchIndex& one, const model::SearchIndex& other) {
  const auto& urls = one.spec.elasticsearch.urls;
  return std::ranges::find_first_of(urls, other.spec.elasticsearch.urls) != urls.end();
}

template <class Resource>
void add(const std::shared_ptr<const Resource>& object, const Meta& database,
         std::map<std::string, std::shared_ptr<const Resource>>& ours, TableObjects& all) {
  const auto& name = object->meta.key.name;
  switch (kinship(*object, database)) {
    case Kinship::kOurs:
      ours[name] = object;
      return;
    case Kinship::kLeaving:
      if (object->meta.owners.contains(database.uid)) ours[name] = object;
      all.leaving.insert(name);
      return;
    case Kinship::kForeign:
      all.taken.insert(name);
      return;
  }
}

// schema.table: neither has dots.
plan::TableName table_name(const std::string& text) {
  const auto dot = text.find('.');
  return {text.substr(0, dot), text.substr(dot + 1)};
}

template <class Resource>
json object_of(const kube::ResourceType& type, const Resource& resource, const Owner& owner) {
  json object = json::parse(model::to_json(resource));
  object["apiVersion"] = type.api_version();
  object["kind"] = type.kind;
  object["metadata"]["labels"] = {{std::string(kManagedByLabel), kManagedBy},
                                  {std::string(kDatabaseLabel), owner.name}};
  object["metadata"]["ownerReferences"] =
      json::array({{{"apiVersion", search_index_type().api_version()},
                    {"kind", search_index_type().kind},
                    {"name", owner.name},
                    {"uid", owner.uid}}});
  return object;
}

// What is declared in the object, with all defaults, whatever the order of its keys. Null: it
// cannot be read.
json declared(const kube::ResourceType& type, std::string_view object) {
  std::string text;
  if (type == search_index_type()) {
    if (const auto index = model::parse_search_index(object)) text = model::to_json(*index);
  } else if (const auto binding = model::parse_source_binding(object)) {
    text = model::to_json(*binding);
  }
  return json::parse(text, nullptr, false);
}

template <class Resource>
bool stands(const Declared<Resource>& live, const Resource& wanted, const Owner& owner) {
  const bool ours = live.meta.owners.contains(owner.uid) && live.database == owner.name;
  if (!ours || !live.resource) return false;
  return *live.resource == wanted ||
         json::parse(model::to_json(*live.resource)) == json::parse(model::to_json(wanted));
}

template <class Resource, class Object>
void bring_up_to_date(const kube::ResourceType& type, const std::string& table,
                      const Resource& wanted, const Owner& owner,
                      const std::map<std::string, std::shared_ptr<const Object>>& ours,
                      TableChanges& changes) {
  const auto& [name, namespace_] = wanted.metadata;
  const auto found = ours.find(name);
  if (found != ours.end() && stands<Resource>(*found->second, wanted, owner)) return;
  json object = object_of(type, wanted, owner);
  const std::string uid = found == ours.end() ? "" : found->second->meta.uid;
  if (!uid.empty()) object["metadata"]["uid"] = uid;
  changes.apply.push_back({table, {type, {namespace_, name}, object.dump()}, uid});
}

template <class Object>
void remove_others(const kube::ResourceType& type, const std::set<std::string>& kept,
                   const std::map<std::string, std::shared_ptr<const Object>>& ours,
                   TableChanges& changes) {
  for (const auto& [name, object] : ours) {
    if (kept.contains(name) || object->meta.deleted_at) continue;
    changes.remove.push_back({type, object->meta.key, object->meta.uid});
  }
}

}  // namespace

TableObjects find_table_objects(const DeclaredIndex& database, const Neighbours& neighbours) {
  TableObjects all;
  const auto& own = database.meta;
  std::set<std::string> aliases;
  for (const auto& index : neighbours.indices) {
    const bool here = index->meta.key.namespace_ == own.key.namespace_;
    if (here && index->meta.key.name == own.key.name) {
      all.taken.insert(own.key.name);
      continue;
    }
    const auto& resource = index->resource;
    const bool foreign = !here || kinship(*index, own) == Kinship::kForeign;
    if (foreign && resource && same_engine(*resource, *database.resource)) {
      aliases.insert(resource->spec.index_name);
    }
    if (here) add(index, own, all.indices, all);
  }
  for (const auto& binding : neighbours.bindings) add(binding, own, all.bindings, all);
  // Of two that want one alias their own status says who has it.
  for (const auto& [name, index] : all.indices) {
    if (index->resource) aliases.erase(index->resource->spec.index_name);
  }
  all.taken.merge(aliases);
  // Nor is a table renamed, for its index would go: its binding's name is to be given back.
  for (const auto& [name, index] : all.indices) all.taken.erase(name);
  all.retains = database.resource->spec.deletion_policy == model::DeletionPolicy::kRetain;
  return all;
}

plan::Expansion remembered_expansion(const TableObjects& objects) {
  plan::Expansion out;
  for (const auto& [name, index] : objects.indices) {
    const auto binding = objects.bindings.find(name);
    if (!index->resource || binding == objects.bindings.end() || !binding->second->resource ||
        objects.leaving.contains(name)) {
      continue;
    }
    const auto* source =
        std::get_if<model::PostgresSource>(&binding->second->resource->spec.source);
    if (source == nullptr) continue;
    const auto table = table_name(source->table);
    out.kept.push_back({.table = table,
                        .path = plan::path_name(table),
                        .index = *index->resource,
                        .binding = *binding->second->resource});
  }
  std::ranges::sort(out.kept, {}, &plan::KeptTable::table);
  return out;
}

TableChanges table_changes(const plan::Expansion& expansion, const TableObjects& objects,
                           FunctionRef<std::string(const plan::KeptTable&)> find_fault,
                           const Owner& owner) {
  TableChanges changes;
  std::set<std::string> kept;
  for (const auto& one : expansion.kept) {
    const auto& name = one.index.metadata.name;
    kept.insert(name);
    if (objects.leaving.contains(name)) {
      changes.waits = true;
      continue;
    }
    const auto table = to_string(one.table);
    const auto before = std::ssize(changes.apply);
    bring_up_to_date(search_index_type(), table, one.index, owner, objects.indices, changes);
    bring_up_to_date(source_binding_type(), table, one.binding, owner, objects.bindings, changes);
    if (std::ssize(changes.apply) == before) continue;
    if (const auto fault = find_fault(one); !fault.empty()) {
      changes.apply.erase(changes.apply.begin() + before, changes.apply.end());
      changes.faults.push_back(table + " stays as it is: " + fault);
    }
  }
  remove_others(search_index_type(), kept, objects.indices, changes);
  for (auto& one : changes.remove) {
    const auto& index = objects.indices.at(one.key.name)->resource;
    one.retain =
        objects.retains && index && index->spec.deletion_policy == model::DeletionPolicy::kDelete;
  }
  remove_others(source_binding_type(), kept, objects.bindings, changes);
  return changes;
}

bool is_as_applied(const Manifest& manifest, std::string_view live) {
  const json wanted = declared(manifest.type, manifest.json);
  return wanted.is_object() && wanted == declared(manifest.type, live);
}

std::string correction(const Manifest& manifest, std::string_view live) {
  const json wanted = json::parse(manifest.json, nullptr, false);
  const json object = json::parse(live, nullptr, false);
  if (!wanted.is_object() || !object.is_object() || !object.contains("spec")) return "";
  const json& spec = object.at("spec");
  json patch = {{"spec", three_way_patch(spec, spec, wanted.at("spec"))}};
  if (patch.at("spec").empty()) return "";
  patch["metadata"]["resourceVersion"] = object.at("metadata").at("resourceVersion");
  return patch.dump();
}

}  // namespace searchsync::cluster
