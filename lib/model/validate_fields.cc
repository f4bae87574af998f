#include "lib/model/validate_fields.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/model/json.h"

namespace searchsync::model {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  while (true) {
    const size_t dot = path.find('.');
    segments.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return segments;
    path.remove_prefix(dot + 1);
  }
}

// The array's field, of children and links.
const std::string* into_of(const SourceBinding& binding) {
  if (const auto* children = std::get_if<ChildrenRelation>(&binding.spec.relation)) {
    return &children->into;
  }
  if (const auto* link = std::get_if<LinkRelation>(&binding.spec.relation)) return &link->into;
  return nullptr;
}

std::string into_path(const SourceBinding& binding) {
  const bool link = std::holds_alternative<LinkRelation>(binding.spec.relation);
  return link ? "spec.relation.link.into" : "spec.relation.children.into";
}

// Something that writes a place of an object.
struct Target {
  const SourceBinding* binding = nullptr;
  std::string place;  // "bug.status"
  std::string path;   // "spec.fields[1].to"
};

std::vector<Target> targets_of(const FieldLevel& level) {
  std::vector<const SourceBinding*> bindings{level.top};
  bindings.insert(bindings.end(), level.lookups.begin(), level.lookups.end());
  std::vector<Target> targets;
  for (const SourceBinding* binding : bindings) {
    for (size_t index = 0; index < binding->spec.fields.size(); ++index) {
      targets.push_back(
          {binding, binding->spec.fields[index].to, fmt::format("spec.fields[{}].to", index)});
    }
  }
  return targets;
}

std::string describe(const Target& target) {
  return fmt::format("{} ({})", object_name(*target.binding), target.path);
}

void check_collisions(const std::vector<Target>& targets, const Origins& origins,
                      std::vector<Fault>& faults) {
  std::map<std::string, const Target*> written;
  const auto fault = [&](const Target& target, std::string message) {
    faults.push_back(origins.fault(object_name(*target.binding), target.path, std::move(message)));
  };
  for (const Target& target : targets) {
    const auto [same, fresh] = written.try_emplace(target.place, &target);
    if (!fresh) {
      fault(target, fmt::format("`{}` is also written by {}: choose another name for one of them",
                                target.place, describe(*same->second)));
      continue;
    }
    for (size_t dot = target.place.find('.'); dot != std::string::npos;
         dot = target.place.find('.', dot + 1)) {
      const auto outer = written.find(target.place.substr(0, dot));
      if (outer == written.end()) continue;
      fault(target, fmt::format("`{}` needs an object at `{}`, where {} writes a value: choose "
                                "another name for one of them",
                                target.place, outer->first, describe(*outer->second)));
    }
    const auto inner = written.lower_bound(target.place + ".");
    if (inner != written.end() && inner->first.starts_with(target.place + ".")) {
      fault(target, fmt::format("`{}` is an object, because {} writes `{}` in it: choose another "
                                "name for one of them",
                                target.place, describe(*inner->second), inner->first));
    }
  }
}

// Elasticsearch refuses documents with such fields.
void check_reserved(const std::vector<Target>& targets, const Origins& origins,
                    std::vector<Fault>& faults) {
  constexpr std::string_view kReserved[] = {
      "_id",    "_index",   "_source", "_type",         "_routing",     "_version", "_field_names",
      "_field", "_ignored", "_seq_no", "_primary_term", "_nested_path", "_tier"};
  for (const Target& target : targets) {
    const std::string first = split(target.place).front();
    if (std::find(std::begin(kReserved), std::end(kReserved), first) == std::end(kReserved)) {
      continue;
    }
    faults.push_back(origins.fault(
        object_name(*target.binding), target.path,
        fmt::format("`{}` is a name that Elasticsearch keeps for itself: choose another", first)));
  }
}

// A place in the mappings: an object with its properties, and what it says of unknown fields.
struct MappedObject {
  const Node* node = nullptr;
  bool strict = false;
};

std::string_view type_of(const Node& mapping) {
  const Node* type = mapping.find("type");
  if (type != nullptr && type->string() != nullptr) return *type->string();
  return "object";
}

bool is_object(const Node& mapping) {
  return type_of(mapping) == "object" || type_of(mapping) == "nested";
}

// Elasticsearch looks into what is below, or ignores it: any field may be there.
bool takes_anything(const Node& mapping) {
  const Node* enabled = mapping.find("enabled");
  const bool* flag = enabled == nullptr ? nullptr : std::get_if<bool>(&enabled->value);
  return type_of(mapping) == "flattened" || (flag != nullptr && !*flag);
}

MappedObject mapped_object(const Node& node, bool inherited_strict) {
  const Node* dynamic = node.find("dynamic");
  if (dynamic == nullptr) return {&node, inherited_strict};
  return {&node, dynamic->string() != nullptr && *dynamic->string() == "strict"};
}

// Where a path leads in the mappings, or why it does not.
struct Lookup {
  const Node* mapping = nullptr;  // null: not mapped, or inside what takes anything
  bool strict = false;            // of the object that the last step was in
  std::string problem;
};

// A property's name may itself have dots.
const Node* find_property(const Node& properties, const std::vector<std::string>& segments,
                          size_t& at) {
  std::string name;
  for (size_t end = at; end < segments.size(); ++end) {
    name += (end == at ? "" : ".") + segments[end];
    if (const Node* found = properties.find(name)) {
      at = end + 1;
      return found;
    }
  }
  return nullptr;
}

std::string unmapped(const MappedObject& object, std::string_view place, std::string_view name) {
  std::vector<std::string> known;
  if (const Node* properties = object.node->find("properties")) {
    if (const Node::Mapping* entries = properties->mapping()) {
      for (const Node::Entry& entry : *entries) known.push_back(entry.key);
    }
  }
  return fmt::format(
      "the mappings are strict and have no field `{}`: add it to spec.mappings of the index, or "
      "correct the name{}",
      place, did_you_mean(name, known));
}

Lookup look_up(MappedObject object, std::string_view place) {
  const std::vector<std::string> segments = split(place);
  size_t at = 0;
  while (true) {
    const Node* properties = object.node->find("properties");
    const size_t first = at;
    const Node* found = properties == nullptr ? nullptr : find_property(*properties, segments, at);
    if (found == nullptr) {
      Lookup lookup{.mapping = nullptr, .strict = object.strict, .problem = ""};
      if (object.strict) lookup.problem = unmapped(object, place, segments[first]);
      return lookup;
    }
    if (takes_anything(*found)) return {};
    if (at == segments.size()) return {.mapping = found, .strict = object.strict, .problem = ""};
    if (!is_object(*found)) {
      return {.mapping = nullptr,
              .strict = object.strict,
              .problem = fmt::format("`{}` needs an object where the mappings have a {}", place,
                                     type_of(*found))};
    }
    object = mapped_object(*found, object.strict);
  }
}

// By what an index is partitioned.
class PartitioningCheck {
 public:
  // root: null if there is none, which is said elsewhere.
  PartitioningCheck(const SearchIndex& index, const Node& mappings, const SourceBinding* root,
                    const Origins& origins, std::vector<Fault>& faults)
      : index_(index), mappings_(mappings), root_(root), origins_(origins), faults_(faults) {}

  void check() {
    const PartitioningSpec& spec = *index_.spec.partitioning;
    if (root_ == nullptr) return;
    if (is_roots("spec.partitioning.field", spec.field)) check_time(spec.field);
    if (spec.routing) is_roots("spec.partitioning.routing", *spec.routing);
  }

 private:
  bool is_roots(const std::string& path, const std::string& field) {
    std::vector<std::string> known;
    for (const auto& one : root_->spec.fields) known.push_back(one.to);
    if (std::ranges::find(known, field) != known.end()) return true;
    fault(path, fmt::format("`{}` is no field that {} fills: where a document is must come from "
                            "its root's own row{}",
                            field, object_name(*root_), did_you_mean(field, known)));
    return false;
  }

  void check_time(const std::string& field) {
    const std::string path = "spec.partitioning.field";
    const Lookup lookup = look_up(mapped_object(mappings_, false), field);
    if (!lookup.problem.empty()) return;  // it is said of the binding
    if (lookup.mapping == nullptr) {
      fault(path, fmt::format("the mappings do not say what `{}` is: map it as a date", field));
    } else if (type_of(*lookup.mapping) != "date") {
      fault(path, fmt::format("the mappings have a {} at `{}`: only a date has a time",
                              type_of(*lookup.mapping), field));
    } else if (lookup.mapping->find("format") != nullptr) {
      fault(path, fmt::format(
                      "`{}` has a format of its own: take `format` away, for partitions are found "
                      "by times as a date has them without",
                      field));
    }
  }

  void fault(const std::string& path, std::string message) {
    faults_.push_back(origins_.fault(object_name(index_), path, std::move(message)));
  }

  const SearchIndex& index_;
  const Node& mappings_;
  const SourceBinding* root_;
  const Origins& origins_;
  std::vector<Fault>& faults_;
};

class MappingCheck {
 public:
  MappingCheck(const Node& mappings, const Origins& origins, std::vector<Fault>& faults)
      : root_(mapped_object(mappings, false)), origins_(origins), faults_(faults) {}

  void check(const FieldLevel& level) {
    MappedObject object = root_;
    if (const std::string* into = into_of(*level.top)) {
      const Lookup lookup = look_up(root_, *into);
      const std::string path = into_path(*level.top);
      if (!lookup.problem.empty()) fault(*level.top, path, lookup.problem);
      if (lookup.mapping == nullptr) return;
      if (!is_object(*lookup.mapping)) {
        fault(*level.top, path,
              fmt::format("`{}` is an array of objects, and the mappings have a {}: make it nested",
                          *into, type_of(*lookup.mapping)));
        return;
      }
      object = mapped_object(*lookup.mapping, lookup.strict);
    }
    for (const Target& target : targets_of(level)) check_target(object, target);
  }

 private:
  void check_target(const MappedObject& object, const Target& target) {
    const Lookup lookup = look_up(object, target.place);
    if (!lookup.problem.empty()) {
      fault(*target.binding, target.path, lookup.problem);
      return;
    }
    const auto is_this = [&](const FieldMapping& field) { return field.to == target.place; };
    const auto& fields = target.binding->spec.fields;
    const bool json = std::find_if(fields.begin(), fields.end(), is_this)->type == FieldType::kJson;
    if (lookup.mapping != nullptr && is_object(*lookup.mapping) && !json) {
      fault(*target.binding, target.path,
            fmt::format("`{}` is a value, and the mappings have an object: map it as a keyword or "
                        "the like, or give the field the type Json",
                        target.place));
    }
  }

  void fault(const SourceBinding& binding, const std::string& path, std::string message) {
    faults_.push_back(origins_.fault(object_name(binding), path, std::move(message)));
  }

  const MappedObject root_;
  const Origins& origins_;
  std::vector<Fault>& faults_;
};

}  // namespace

std::vector<Fault> validate_fields(const SearchIndex* index, const std::vector<FieldLevel>& levels,
                                   const Origins& origins) {
  std::vector<Fault> faults;
  for (const FieldLevel& level : levels) {
    std::vector<Target> targets = targets_of(level);
    if (into_of(*level.top) == nullptr) {
      for (const FieldLevel& other : levels) {
        const std::string* into = into_of(*other.top);
        if (into != nullptr) targets.push_back({other.top, *into, into_path(*other.top)});
      }
      check_reserved(targets, origins, faults);
    }
    check_collisions(targets, origins, faults);
  }
  if (index == nullptr) return faults;
  const Result<Node> mappings = parse_json(index->spec.mappings.text);
  if (!mappings) {
    faults.push_back(origins.fault(object_name(*index), "spec.mappings", mappings.error().message));
    return faults;
  }
  const Node* properties = mappings->find("properties");
  if (properties != nullptr && properties->mapping() == nullptr) {
    faults.push_back(origins.fault(object_name(*index), "spec.mappings.properties",
                                   "expected an object with a mapping for each field"));
    return faults;
  }
  MappingCheck check(*mappings, origins, faults);
  for (const FieldLevel& level : levels) check.check(level);
  if (index->spec.partitioning) {
    const SourceBinding* root = nullptr;
    for (const FieldLevel& level : levels) {
      if (std::holds_alternative<RootRelation>(level.top->spec.relation)) root = level.top;
    }
    PartitioningCheck(*index, *mappings, root, origins, faults).check();
  }
  return faults;
}

}  // namespace searchsync::model
