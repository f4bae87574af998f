#include "operator/cluster/plugin.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "lib/base/bounded_file.h"
#include "lib/base/check.h"
#include "lib/model/load.h"
#include "lib/model/status.h"
#include "lib/model/validate.h"
#include "lib/model/yaml.h"
#include "operator/cluster/apply.h"
#include "operator/cluster/manifests.h"
#include "operator/cluster/names.h"
#include "operator/cluster/objects.h"
#include "operator/cluster/secret_cache.h"
#include "operator/control/notes_file.h"
#include "operator/control/table.h"
#include "operator/dlq/desk.h"

namespace searchsync::cluster {
namespace {

using nlohmann::json;

constexpr int kPage = 500;

std::string text_at(const json& object, const char* pointer) {
  const json::json_pointer at(pointer);
  if (!object.contains(at)) return "-";
  const auto& value = object.at(at);
  if (value.is_string()) return value.get<std::string>().empty() ? "-" : value.get<std::string>();
  return value.is_null() ? "-" : value.dump();
}

std::string condition(const json& object, std::string_view type) {
  const json::json_pointer at("/status/conditions");
  if (!object.contains(at)) return "Unknown";
  for (const auto& one : object.at(at)) {
    if (one.value("type", "") == type) return one.value("status", "Unknown");
  }
  return "Unknown";
}

plan::IndexNotes notes_of(const json& object) {
  const json::json_pointer at("/status/notes");
  if (!object.contains(at)) return {};
  return control::index_notes_from_json(object.at(at).dump()).value_or(plan::IndexNotes{});
}

std::string describe(const json& index, const std::vector<json>& bindings) {
  std::string text = control::table(
      {{"INDEX", "PHASE", "READY", "AVAILABLE", "SERVING", "LAG", "LAG(s)", "ROWS/s", "WORKERS",
        "DEAD"},
       {text_at(index, "/metadata/name"), text_at(index, "/status/phase"),
        condition(index, "Ready"), condition(index, "Available"), text_at(index, "/status/serving"),
        text_at(index, "/status/lagRecords"), text_at(index, "/status/lagSeconds"),
        text_at(index, "/status/rowsPerSecond"), text_at(index, "/status/workers/ready"),
        text_at(index, "/status/deadLetters")}});
  if (const auto message = text_at(index, "/status/message"); message != "-") {
    text += message + "\n";
  }
  std::vector<std::vector<std::string>> rows = {{"GENERATION", "NUMBER", "STATE"}};
  for (const auto& [name, note] : notes_of(index).generations) {
    std::string state = "is being built";
    if (text_at(index, "/status/serving") == name.get()) {
      state = "serves";
    } else if (note.retired_at) {
      state = "is kept warm";
    } else if (note.complete) {
      state = "is complete";
    }
    if (text_at(index, "/status/desired") == name.get()) state += "; is declared";
    rows.push_back({name.get(), std::to_string(note.generation.get()), state});
  }
  text += "\n" + control::table(rows);
  rows = {{"BINDING", "STATE", "LAG", "DEAD", "MESSAGE"}};
  for (const auto& binding : bindings) {
    rows.push_back({text_at(binding, "/metadata/name"), text_at(binding, "/status/state"),
                    text_at(binding, "/status/lagRecords"), text_at(binding, "/status/deadLetters"),
                    text_at(binding, "/status/message")});
  }
  return text + "\n" + control::table(rows);
}

struct Selectors {
  std::string labels;
  std::string fields;
};

Result<std::vector<json>> list(kube::Client& client, const kube::ResourceType& type,
                               const std::string& namespace_, const Selectors& selectors = {}) {
  std::vector<json> all;
  kube::ListOptions options{.namespace_ = namespace_,
                            .label_selector = selectors.labels,
                            .field_selector = selectors.fields,
                            .limit = kPage};
  do {
    auto page = client.list(type, options);
    if (!page) return std::unexpected(page.error());
    for (const auto& item : page->items) all.push_back(json::parse(item));
    options.continue_token = page->continue_token;
  } while (!options.continue_token.empty());
  return all;
}

Selectors of_index(const std::string& index) {
  return {.labels = "", .fields = fmt::format("spec.indexRef.name={}", index)};
}

// Those among `now` that were not there before.
std::vector<model::Fault> new_faults(std::vector<model::Fault> now,
                                     const std::vector<model::Fault>& before) {
  std::erase_if(
      now, [&](const auto& fault) { return std::ranges::find(before, fault) != before.end(); });
  return now;
}

std::unexpected<Error> faulty(const std::vector<model::Fault>& faults) {
  return fail(ErrorCode::kInvalidArgument,
              "these resources have faults:\n" + model::to_string(faults));
}

// A declared object that was read from a file, and its place there.
template <class Resource>
struct Placed {
  Resource* resource;
  const model::Origin* origin;
};

// kubectl applies what does not say a namespace to the one of its context.
template <class Resource>
std::vector<Placed<Resource>> settle(std::vector<Resource>& all, const model::Origins& origins,
                                     const std::string& namespace_,
                                     std::set<std::string>& namespaces) {
  std::vector<Placed<Resource>> placed;
  for (auto& one : all) {
    const auto* origin = origins.find(model::object_name(one));
    CHECK(origin != nullptr, "{} is from no file", model::object_name(one));
    if (!origin->positions.contains("metadata.namespace")) one.metadata.namespace_ = namespace_;
    namespaces.insert(one.metadata.namespace_);
    placed.push_back({&one, origin});
  }
  return placed;
}

// The documents of files, each read once.
class Documents {
 public:
  Result<json> at(const model::Origin& origin) {
    auto file = files_.find(origin.file);
    if (file == files_.end()) {
      ASSIGN_OR_RETURN(const auto text, read_bounded_file(origin.file, model::kYamlBytesMax));
      file = files_.emplace(origin.file, model::parse_yaml(origin.file, text)).first;
    }
    const auto& [documents, faults, complete] = file->second;
    const auto found = std::ranges::find(documents, origin.position, &model::Node::position);
    if (!faults.empty() || found == documents.end() || found->mapping() == nullptr) {
      return fail(ErrorCode::kConflict, origin.file + " has just been changed: try again");
    }
    return json::parse(model::to_json(*found));
  }

 private:
  std::map<std::string, model::YamlFile> files_;
};

// Has the API server try to apply what is there already.
class Trial {
 public:
  // objects: of the cluster, by their names. Both outlive this.
  Trial(kube::Client& client, const std::map<std::string, json>& objects)
      : client_(client), objects_(objects) {}

  // Of those that are there already, what becomes of them; but for those that are refused.
  template <class Resource, class Read>
  Result<void> apply(const std::vector<Placed<Resource>>& declared, const kube::ResourceType& type,
                     Read read) {
    for (const auto& [resource, origin] : declared) {
      const auto live = objects_.find(model::object_name(*resource));
      if (live == objects_.end()) continue;
      ASSIGN_OR_RETURN(auto file, documents_.at(*origin));
      const auto object = apply(type, live->second, std::move(file));
      if (!object && object.error().code != ErrorCode::kInvalidArgument) {
        return std::unexpected(object.error());
      }
      if (!object) {
        refused_ += object.error().message + "\n";
        continue;
      }
      auto after = read(*object, object->dump());
      if (!after.resource) return fail(ErrorCode::kInvalidArgument, after.fault);
      *resource = std::move(*after.resource);
    }
    return {};
  }

  const std::string& refused() const { return refused_; }  // a line each: which, and why

 private:
  Result<json> apply(const kube::ResourceType& type, const json& live, json file) {
    const auto key = read_meta(live).key;
    const auto name = fmt::format("{} {}", type.kind, to_string(key));
    const auto manager = server_side_manager(live);
    file.erase("status");
    file["metadata"].erase("namespace");
    const auto applied =
        manager.empty()
            ? client_.merge_patch(type, key, apply_patch(live, file).dump(), kube::DryRun::kYes)
            : client_.apply(type, key, file.dump(),
                            {.field_manager = manager, .dry_run = kube::DryRun::kYes});
    if (!applied) return fail(applied.error(), "the cluster refuses " + name);
    auto object = json::parse(*applied, nullptr, false);
    if (object.is_object()) return object;
    return fail(ErrorCode::kMalformed, "the API server's answer is no " + name);
  }

  kube::Client& client_;
  const std::map<std::string, json>& objects_;
  Documents documents_;
  std::string refused_;
};

std::vector<model::Fault> faults_of(const model::Resources& resources,
                                    const model::Origins& origins) {
  auto faults = model::validate(resources, origins);
  std::ranges::move(model::validate_relations(resources, origins), std::back_inserter(faults));
  model::sort(faults);
  return faults;
}

}  // namespace

Plugin::Plugin(kube::Client& client, std::string of) : client_(client), namespace_(std::move(of)) {}

std::unexpected<Error> Plugin::failed(const std::string& index, const kube::ApiError& error) {
  if (error.reason != kube::ApiReason::kNotFound) return std::unexpected<Error>(error);
  return fail(ErrorCode::kNotFound,
              fmt::format("there is no SearchIndex {} in namespace {}", index, namespace_));
}

Result<std::string> Plugin::get(const std::string& index) {
  auto object = client_.get(search_index_type(), {namespace_, index});
  if (!object) return failed(index, object.error());
  return std::move(*object);
}

Result<void> Plugin::patch(const std::string& index, std::string_view spec) {
  ASSIGN_OR_RETURN(const auto object, get(index));
  const auto database = read_index(json::parse(object), object).database;
  if (!database.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("SearchIndex {} is made from SearchIndex {}, which would put it back: "
                            "do that with {}, for all of its tables",
                            index, database, database));
  }
  const auto patched = client_.merge_patch(search_index_type(), {namespace_, index},
                                           fmt::format(R"({{"spec":{}}})", spec));
  if (!patched) return failed(index, patched.error());
  return {};
}

Result<std::string> Plugin::status(const std::optional<std::string>& index) {
  if (index) {
    ASSIGN_OR_RETURN(const auto object, get(*index));
    ASSIGN_OR_RETURN(const auto bindings,
                     list(client_, source_binding_type(), namespace_, of_index(*index)));
    return describe(json::parse(object), bindings);
  }
  ASSIGN_OR_RETURN(const auto all, list(client_, search_index_type(), namespace_));
  if (all.empty()) return std::string("there are no SearchIndexes here\n");
  std::vector<std::vector<std::string>> rows = {
      {"NAMESPACE", "INDEX", "PHASE", "READY", "AVAILABLE", "SERVING", "LAG", "DEAD", "MESSAGE"}};
  for (const auto& one : all) {
    rows.push_back({text_at(one, "/metadata/namespace"), text_at(one, "/metadata/name"),
                    text_at(one, "/status/phase"), condition(one, "Ready"),
                    condition(one, "Available"), text_at(one, "/status/serving"),
                    text_at(one, "/status/lagRecords"), text_at(one, "/status/deadLetters"),
                    text_at(one, "/status/message")});
  }
  return control::table(rows);
}

struct Plugin::Live {
  model::Resources resources;  // as far as they can be read
  std::map<std::string, json> objects;
  std::map<plan::ObjectKey, Standing> standing;
};

Result<void> Plugin::read_live(const std::string& of, Live& live) {
  const auto name_of = [](const kube::ResourceType& type, const Meta& meta) {
    return model::object_name(type.kind,
                              {.name = meta.key.name, .namespace_ = meta.key.namespace_});
  };
  ASSIGN_OR_RETURN(const auto indices, list(client_, search_index_type(), of));
  for (const auto& object : indices) {
    auto declared = read_index(object, object.dump());
    live.objects[name_of(search_index_type(), declared.meta)] = object;
    if (!declared.resource) continue;
    const auto serving = text_at(object, "/status/serving");
    live.standing[plan::object_key(declared.resource->metadata)] = {serving == "-" ? "" : serving,
                                                                    notes_of(object)};
    live.resources.indices.push_back(std::move(*declared.resource));
  }
  ASSIGN_OR_RETURN(const auto bindings, list(client_, source_binding_type(), of));
  for (const auto& object : bindings) {
    auto declared = read_binding(object, object.dump());
    live.objects[name_of(source_binding_type(), declared.meta)] = object;
    if (declared.resource) live.resources.bindings.push_back(std::move(*declared.resource));
  }
  return {};
}

Result<std::string> Plugin::plan(const std::filesystem::path& path) {
  auto loaded = model::load_directory(path);
  // What it refers to may be in the cluster: that is looked at below.
  const auto unreadable = new_faults(loaded.faults, faults_of(loaded.resources, loaded.origins));
  if (!unreadable.empty()) return faulty(unreadable);
  auto& declared = loaded.resources;
  std::set<std::string> namespaces;
  const auto indices = settle(declared.indices, loaded.origins, namespace_, namespaces);
  const auto bindings = settle(declared.bindings, loaded.origins, namespace_, namespaces);
  Live live;
  for (const auto& one : namespaces) RETURN_IF_ERROR(read_live(one, live));
  Trial trial(client_, live.objects);
  RETURN_IF_ERROR(trial.apply(indices, search_index_type(), read_index));
  RETURN_IF_ERROR(trial.apply(bindings, source_binding_type(), read_binding));
  if (!trial.refused().empty()) return fail(ErrorCode::kInvalidArgument, trial.refused());
  const auto faults = new_faults(faults_of(applied(live.resources, declared), loaded.origins),
                                 faults_of(live.resources, {}));
  if (!faults.empty()) return faulty(faults);
  return render_changes({.live = live.resources, .declared = declared, .standing = live.standing});
}

// A pod of the index has its resources, its secrets and a way to its Kafka.
std::string Plugin::from_inside(const std::string& index) {
  std::string pod = "POD";
  const auto pods = list(client_, pod_type(), namespace_,
                         {.labels = fmt::format("{}={}", kIndexLabel, index), .fields = ""});
  if (pods && !pods->empty()) pod = text_at(pods->front(), "/metadata/name");
  return fmt::format(
      "The addresses are those of the resource, and may be in reach from inside of the cluster "
      "only. There any pod of the index will do:\n"
      "  kubectl exec --namespace {} {} -- searchsync dlq list {}/{} {} --secrets {}",
      namespace_, pod, kConfigFolder, kConfigEntry, index, kSecretsFolder);
}

Result<std::unique_ptr<dlq::Desk>> Plugin::dead_letters(const std::string& index) {
  ASSIGN_OR_RETURN(const auto object, get(index));
  auto declared = read_index(json::parse(object), object);
  if (!declared.resource) return fail(ErrorCode::kInvalidArgument, declared.fault);
  ASSIGN_OR_RETURN(const auto objects,
                   list(client_, source_binding_type(), namespace_, of_index(index)));
  std::vector<model::SourceBinding> bindings;
  for (const auto& one : objects) {
    auto binding = read_binding(one, one.dump());
    if (!binding.resource) return fail(ErrorCode::kInvalidArgument, binding.fault);
    bindings.push_back(std::move(*binding.resource));
  }
  SecretCache cache(client_);
  const NamespaceSecrets secrets(cache, namespace_);
  auto desk = dlq::Desk::open(std::move(*declared.resource), std::move(bindings), secrets);
  if (desk || !desk.error().retryable()) return desk;
  return fail(desk.error().code, desk.error().message + "\n" + from_inside(index));
}

Result<std::string> Plugin::reindex(const std::string& index) {
  ASSIGN_OR_RETURN(const auto object, get(index));
  const json parsed = json::parse(object);
  const json::json_pointer at("/spec/reindex/revision");
  const int64_t revision = parsed.contains(at) ? parsed.at(at).get<int64_t>() + 1 : 1;
  RETURN_IF_ERROR(patch(index, fmt::format(R"({{"reindex":{{"revision":{}}}}})", revision)));
  return fmt::format("{}: spec.reindex.revision is {}: it is built anew beside {}\n", index,
                     revision, text_at(parsed, "/status/serving"));
}

Result<std::string> Plugin::approve(const std::string& index) {
  ASSIGN_OR_RETURN(const auto object, get(index));
  const json parsed = json::parse(object);
  if (text_at(parsed, "/status/phase") != "AwaitingApproval") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} does not wait for approval: its phase is {}", index,
                            text_at(parsed, "/status/phase")));
  }
  const auto desired = text_at(parsed, "/status/desired");
  RETURN_IF_ERROR(patch(index, json{{"reindex", {{"approved", desired}}}}.dump()));
  return fmt::format("{}: {} is approved\n", index, desired);
}

Result<std::string> Plugin::rollback(const std::string& index,
                                     const std::optional<std::string>& to) {
  ASSIGN_OR_RETURN(const auto object, get(index));
  const json parsed = json::parse(object);
  const auto serving = text_at(parsed, "/status/serving");
  const auto notes = notes_of(parsed);
  std::string target;
  std::string warm;
  std::optional<plan::TimePoint> newest;
  for (const auto& [name, note] : notes.generations) {
    if (name.get() == serving || !note.retired_at) continue;
    warm += (warm.empty() ? "" : ", ") + name.get();
    const bool wanted = to ? *to == name.get() : !newest || *note.retired_at > *newest;
    if (!wanted) continue;
    target = name.get();
    newest = note.retired_at;
  }
  if (target.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                warm.empty() ? fmt::format("{}: no index is kept warm to go back to", index)
                             : fmt::format("{}: {} is not kept warm: choose one of {}", index,
                                           to.value_or(""), warm));
  }
  RETURN_IF_ERROR(patch(index, json{{"reindex", {{"serve", target}}}}.dump()));
  return fmt::format(
      "{0}: from {1} back to {2}, whatever is declared\n"
      "when the declaration is put right: kubectl searchsync forward {0}\n",
      index, serving, target);
}

Result<std::string> Plugin::forward(const std::string& index) {
  RETURN_IF_ERROR(patch(index, R"({"reindex":{"serve":null}})"));
  return fmt::format("{}: what is declared is served again\n", index);
}

Result<std::string> Plugin::pause(const std::string& index) {
  RETURN_IF_ERROR(patch(index, R"({"suspend":true})"));
  return fmt::format("{}: nothing is read or written; queries are still answered\n", index);
}

Result<std::string> Plugin::resume(const std::string& index) {
  RETURN_IF_ERROR(patch(index, R"({"suspend":false})"));
  return fmt::format("{}: goes on\n", index);
}

}  // namespace searchsync::cluster
