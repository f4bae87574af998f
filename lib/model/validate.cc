#include "lib/model/validate.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "lib/model/pipeline.h"
#include "lib/model/resource_schema.h"
#include "lib/model/validate_aggregate.h"
#include "lib/model/validate_fields.h"
#include "lib/model/validate_http.h"
#include "lib/model/validate_tables.h"

namespace searchsync::model {
namespace {

constexpr std::string_view kRoot = "root";

// The bindings of one index, by name; the index itself if it is there and well-formed.
struct Group {
  const SearchIndex* index = nullptr;
  std::map<std::string_view, const SourceBinding*> bindings;
  std::vector<const SourceBinding*> roots;
};

template <class T>
const T* relation_as(const SourceBinding& binding) {
  return std::get_if<T>(&binding.spec.relation);
}

bool is_port(std::string_view text) {
  int port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, port);
  return parsed.ec == std::errc{} && parsed.ptr == end && port >= 1 && port <= 65535;
}

bool is_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) {
    text = text.substr(1, text.size() - 2);
    return !text.empty() && text.find_first_not_of("0123456789abcdefABCDEF:.%") == text.npos;
  }
  constexpr std::string_view kLegal =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
      "0123456789-._";
  return !text.empty() && text.find_first_not_of(kLegal) == text.npos;
}

// A host that must, or may, have a port.
bool is_authority(std::string_view text, Presence port) {
  const size_t colon = text.rfind(':');
  const bool has_port = colon != text.npos && text.find(']', colon) == text.npos;
  if (!has_port) return port == Presence::kOptional && is_host(text);
  return is_host(text.substr(0, colon)) && is_port(text.substr(colon + 1));
}

// What is wrong with a URL of Elasticsearch; empty if nothing is.
std::string url_problem(std::string_view url) {
  constexpr std::string_view kExpected = "expected a URL as http://host:9200 or https://host:9200";
  const size_t scheme = url.find("://");
  if (scheme == url.npos || (url.substr(0, scheme) != "http" && url.substr(0, scheme) != "https")) {
    return std::string(kExpected);
  }
  std::string_view rest = url.substr(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != authority.npos) {
    return "holds credentials: put them into a secret and name it in credentialsSecretRef";
  }
  if (rest.find_first_of("?# \t\r\n") != rest.npos) {
    return fmt::format("{}, without spaces, ? and #", kExpected);
  }
  return is_authority(authority, Presence::kOptional) ? "" : std::string(kExpected);
}

// Equal for URLs that are written differently and lead to one place.
std::string comparable(std::string_view url) {
  std::string out;
  for (const char c : url) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  while (out.ends_with('/')) out.pop_back();
  return out;
}

class Validator {
 public:
  Validator(const Resources& resources, const Origins& origins)
      : resources_(resources), origins_(origins) {}

  std::vector<Fault> run() {
    for (const SearchIndex& index : resources_.indices) check_addresses(index);
    check_index_names();
    check_captures();
    for (const auto& [key, group] : group_bindings()) {
      if (group.index == nullptr || !group.index->spec.tables) check_group(group);
    }
    for (const auto& check : {validate_http, validate_aggregates, validate_tables}) {
      std::vector<Fault> more = check(resources_, origins_);
      faults_.insert(faults_.end(), more.begin(), more.end());
    }
    sort(faults_);
    return std::move(faults_);
  }

 private:
  using Groups = std::map<std::pair<std::string_view, std::string_view>, Group>;

  void fault(std::string object, std::string path, std::string message) {
    faults_.push_back(origins_.fault(std::move(object), std::move(path), std::move(message)));
  }
  void fault(const SourceBinding& binding, std::string path, std::string message) {
    fault(object_name(binding), std::move(path), std::move(message));
  }

  void check_addresses(const SearchIndex& index) {
    const auto& urls = index.spec.elasticsearch.urls;
    for (size_t i = 0; i < urls.size(); ++i) {
      const std::string problem = url_problem(urls[i]);
      if (!problem.empty()) {
        fault(object_name(index), fmt::format("spec.elasticsearch.urls[{}]", i), problem);
      }
    }
    const auto& servers = index.spec.kafka.bootstrap_servers;
    for (size_t i = 0; i < servers.size(); ++i) {
      if (is_authority(servers[i], Presence::kRequired)) continue;
      fault(object_name(index), fmt::format("spec.kafka.bootstrapServers[{}]", i),
            "expected a broker as host:port, such as kafka:9092");
    }
  }

  void check_index_names() {
    std::map<std::pair<std::string, std::string>, const SearchIndex*> owners;
    for (const SearchIndex& index : resources_.indices) {
      std::set<const SearchIndex*> named;
      for (const std::string& url : index.spec.elasticsearch.urls) {
        const auto [owner, fresh] =
            owners.try_emplace({comparable(url), index.spec.index_name}, &index);
        if (fresh || owner->second == &index || !named.insert(owner->second).second) continue;
        fault(object_name(index), "spec.indexName",
              fmt::format("`{}` at {} is already the index of {}: choose another indexName",
                          index.spec.index_name, url, object_name(*owner->second)));
      }
    }
  }

  // One process captures a database, with one Kafka, and writes each table once.
  void check_captures() {
    using Key = std::tuple<std::string_view, std::string_view, std::string_view>;
    std::map<Key, const SourceBinding*> tables;
    std::map<std::pair<std::string_view, std::string_view>,
             std::pair<const SourceBinding*, const SearchIndex*>>
        databases;
    for (const SourceBinding& binding : resources_.bindings) {
      const auto* source = std::get_if<PostgresSource>(&binding.spec.source);
      if (source == nullptr) continue;
      const std::string_view space = binding.metadata.namespace_;
      const auto first =
          tables.try_emplace(Key{space, source->secret_ref.name, source->table}, &binding).first;
      const auto& known = std::get<PostgresSource>(first->second->spec.source);
      if (known.topic_prefix != source->topic_prefix) {
        fault(binding, "spec.source.postgres.topicPrefix",
              fmt::format("{} captures the same table with the prefix `{}`: use the same",
                          object_name(*first->second), known.topic_prefix));
      }
      const SearchIndex* index = find_index(space, binding.spec.index_ref);
      if (index == nullptr) continue;
      const auto [user, fresh] =
          databases.try_emplace({space, source->secret_ref.name}, &binding, index);
      if (!fresh && user->second.second->spec.kafka != index->spec.kafka) {
        fault(binding, "spec.source.postgres.secretRef",
              fmt::format("the database is captured into the Kafka of {}, and {} has another: give "
                          "both indices the same spec.kafka",
                          object_name(*user->second.second), object_name(*index)));
      }
    }
  }

  const SearchIndex* find_index(std::string_view name_space, std::string_view name) const {
    for (const SearchIndex& index : resources_.indices) {
      if (index.metadata.namespace_ == name_space && index.metadata.name == name) return &index;
    }
    return nullptr;
  }

  Groups group_bindings() {
    Groups groups;
    for (const SearchIndex& index : resources_.indices) {
      groups[{index.metadata.namespace_, index.metadata.name}].index = &index;
    }
    for (const SourceBinding& binding : resources_.bindings) {
      const std::string& name_space = binding.metadata.namespace_;
      const std::string& name = binding.spec.index_ref;
      if (find_index(name_space, name) == nullptr) check_missing_index(binding);
      Group& group = groups[{name_space, name}];
      group.bindings[binding.metadata.name] = &binding;
      if (relation_as<RootRelation>(binding) != nullptr) group.roots.push_back(&binding);
    }
    return groups;
  }

  void check_missing_index(const SourceBinding& binding) {
    const ObjectMeta metadata{binding.spec.index_ref, binding.metadata.namespace_};
    const std::string name = object_name(kSearchIndexKind, metadata);
    if (origins_.may_exist(name)) return;
    std::vector<std::string> known;
    for (const SearchIndex& index : resources_.indices) {
      if (index.metadata.namespace_ == metadata.namespace_) known.push_back(index.metadata.name);
    }
    fault(binding, "spec.indexRef.name",
          fmt::format("there is no {}{}", name, did_you_mean(metadata.name, known)));
  }

  void check_group(const Group& group) {
    check_roots(group);
    std::map<const SourceBinding*, FieldLevel> levels;
    for (const auto& [name, binding] : group.bindings) {
      check_relation(group, *binding);
      if (const SourceBinding* top = find_top(group, *binding)) {
        FieldLevel& level = levels[top];
        level.top = top;
        if (top != binding) level.lookups.push_back(binding);
      }
    }
    std::vector<FieldLevel> ordered;
    for (const auto& [name, binding] : group.bindings) {
      if (const auto level = levels.find(binding); level != levels.end()) {
        ordered.push_back(level->second);
      }
    }
    std::vector<Fault> fields = validate_fields(group.index, ordered, origins_);
    faults_.insert(faults_.end(), fields.begin(), fields.end());
  }

  void check_roots(const Group& group) {
    if (group.bindings.size() > kBindingsMax) {
      fault(*group.bindings.rbegin()->second, "spec.indexRef",
            fmt::format("the index has {} bindings, at most {} are possible", group.bindings.size(),
                        kBindingsMax));
    }
    if (group.roots.empty() && group.index != nullptr && !origins_.hides_objects()) {
      fault(object_name(*group.index), "",
            group.bindings.empty()
                ? "no SourceBinding refers to it: add one whose relation is root"
                : "none of its bindings has the relation root: exactly one must");
    }
    for (size_t i = 1; i < group.roots.size(); ++i) {
      fault(
          *group.roots[i], "spec.relation.root",
          fmt::format("{} is the root of this index already: make this a lookup, children or link",
                      object_name(*group.roots.front())));
    }
    const auto misnamed = group.bindings.find(kRoot);
    if (misnamed != group.bindings.end() && !relation_as<RootRelation>(*misnamed->second)) {
      fault(*misnamed->second, "metadata.name",
            "`root` means the root binding wherever a binding is named: choose another name");
    }
  }

  // The binding that `of` names; null if it is not there.
  static const SourceBinding* find_binding(const Group& group, std::string_view name) {
    if (name == kRoot) return group.roots.empty() ? nullptr : group.roots.front();
    const auto found = group.bindings.find(name);
    return found == group.bindings.end() ? nullptr : found->second;
  }

  // Follows lookups to the row they all start from; null if they lead nowhere or in a circle.
  static const SourceBinding* find_top(const Group& group, const SourceBinding& binding) {
    const SourceBinding* at = &binding;
    for (size_t steps = 0; at != nullptr && steps <= group.bindings.size(); ++steps) {
      const auto* lookup = relation_as<LookupRelation>(*at);
      if (lookup == nullptr) return at;
      at = find_binding(group, lookup->of);
    }
    return nullptr;
  }

  void check_relation(const Group& group, const SourceBinding& binding) {
    if (const auto* lookup = relation_as<LookupRelation>(binding)) {
      check_lookup(group, binding, *lookup);
    } else if (const auto* children = relation_as<ChildrenRelation>(binding)) {
      check_of_root(group, binding, children->of, "spec.relation.children.of");
      check_root_key(group, binding, children->from, "spec.relation.children.from");
    } else if (const auto* link = relation_as<LinkRelation>(binding)) {
      check_of_root(group, binding, link->of, "spec.relation.link.of");
      check_root_key(group, binding, link->near, "spec.relation.link.near");
      check_root_key(group, binding, link->far, "spec.relation.link.far");
      for (size_t i = 0; i < binding.spec.fields.size(); ++i) {
        if (binding.spec.fields[i].from != "far.") continue;
        fault(binding, fmt::format("spec.fields[{}].from", i),
              "expected a column of the other root row after `far.`");
      }
    }
  }

  void check_lookup(const Group& group, const SourceBinding& binding,
                    const LookupRelation& lookup) {
    const std::string path = "spec.relation.lookup.of";
    if (lookup.of == binding.metadata.name) {
      fault(binding, path, "a lookup cannot be of itself: name the binding that refers to it");
    } else if (find_binding(group, lookup.of) == nullptr) {
      check_missing_binding(group, binding, lookup.of, path);
    } else if (is_in_circle(group, binding)) {
      fault(binding, path,
            fmt::format("following `of` from `{}` leads back here: one of them must be of root, of "
                        "children or of a link",
                        lookup.of));
    }
    if (lookup.from.size() != binding.spec.key.size()) {
      fault(
          binding, "spec.relation.lookup.from",
          fmt::format("has {} columns and spec.key has {}: name one column of `{}` for each column "
                      "of the key",
                      lookup.from.size(), binding.spec.key.size(), lookup.of));
    }
  }

  static bool is_in_circle(const Group& group, const SourceBinding& binding) {
    const SourceBinding* at = &binding;
    for (size_t steps = 0; steps <= group.bindings.size(); ++steps) {
      const auto* lookup = relation_as<LookupRelation>(*at);
      at = lookup == nullptr ? nullptr : find_binding(group, lookup->of);
      if (at == nullptr) return false;
      if (at == &binding) return true;
    }
    return false;
  }

  void check_missing_binding(const Group& group, const SourceBinding& binding,
                             const std::string& of, const std::string& path) {
    // That no binding is the root is said of the index.
    if (of == kRoot) return;
    const ObjectMeta metadata{of, binding.metadata.namespace_};
    const std::string name = object_name(kSourceBindingKind, metadata);
    if (origins_.may_exist(name)) return;
    const bool elsewhere =
        std::any_of(resources_.bindings.begin(), resources_.bindings.end(),
                    [&](const SourceBinding& other) { return other.metadata == metadata; });
    std::vector<std::string> known{std::string(kRoot)};
    for (const auto& [other, unused] : group.bindings) {
      if (other != binding.metadata.name) known.emplace_back(other);
    }
    fault(binding, path,
          elsewhere ? fmt::format("{} belongs to another index", name)
                    : fmt::format("there is no {}{}", name, did_you_mean(of, known)));
  }

  void check_of_root(const Group& group, const SourceBinding& binding, const std::string& of,
                     const std::string& path) {
    const SourceBinding* target = find_binding(group, of);
    if (target == nullptr) {
      check_missing_binding(group, binding, of, path);
    } else if (!relation_as<RootRelation>(*target)) {
      fault(binding, path,
            fmt::format("`{}` is not the root: only a root has these, write `root`", of));
    }
  }

  void check_root_key(const Group& group, const SourceBinding& binding,
                      const std::vector<std::string>& columns, const std::string& path) {
    if (group.roots.empty()) return;
    const size_t expected = group.roots.front()->spec.key.size();
    if (columns.size() == expected) return;
    fault(
        binding, path,
        fmt::format("has {} columns and the key of the root, {}, has {}: name one column for each",
                    columns.size(), object_name(*group.roots.front()), expected));
  }

  const Resources& resources_;
  const Origins& origins_;
  std::vector<Fault> faults_;
};

}  // namespace

std::vector<Fault> validate_relations(const Resources& resources, const Origins& origins) {
  std::vector<Fault> faults;
  for (const SearchIndex& index : resources.indices) {
    const auto& relations = index.spec.query.relations;
    for (size_t i = 0; i < relations.size(); ++i) {
      const ObjectMeta metadata{relations[i].index, index.metadata.namespace_};
      const auto other = std::ranges::find(resources.indices, metadata, &SearchIndex::metadata);
      const std::string name = object_name(kSearchIndexKind, metadata);
      std::string problem;
      if (other == resources.indices.end()) {
        if (origins.may_exist(name)) continue;
        problem = fmt::format("there is no {}", name);
      } else if (other->spec.elasticsearch != index.spec.elasticsearch) {
        problem = fmt::format(
            "{} has another spec.elasticsearch: only indices at one search "
            "engine, reached in one way, can be related",
            name);
      } else {
        continue;
      }
      faults.push_back(origins.fault(object_name(index),
                                     fmt::format("spec.query.relations[{}].index", i), problem));
    }
  }
  sort(faults);
  return faults;
}

std::vector<Fault> validate(const Resources& resources, const Origins& origins) {
  return Validator(resources, origins).run();
}

}  // namespace searchsync::model
