#include "lib/model/pipeline.h"

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "lib/base/check.h"
#include "lib/base/hash.h"
#include "lib/base/overloaded.h"
#include "lib/model/retention.h"

namespace searchsync::model {
namespace {

constexpr std::string_view kFarPrefix = "far.";

std::vector<const SourceBinding*> sorted(std::span<const SourceBinding> bindings) {
  std::vector<const SourceBinding*> order;
  for (const auto& binding : bindings) order.push_back(&binding);
  std::ranges::sort(order, {}, [](const auto* b) { return b->metadata.name; });
  return order;
}

Slot slot_of(BindingPlan& plan, const std::string& column, FieldType type) {
  const SlotSource wanted{column, type};
  const auto found = std::ranges::find(plan.slots, wanted);
  if (found != plan.slots.end()) return static_cast<Slot>(found - plan.slots.begin());
  plan.slots.push_back(wanted);
  return static_cast<Slot>(plan.slots.size() - 1);
}

std::vector<Slot> slots_of(BindingPlan& plan, const std::vector<std::string>& columns) {
  std::vector<Slot> slots;
  for (const auto& column : columns) slots.push_back(slot_of(plan, column, FieldType::kAuto));
  return slots;
}

std::string label_of(std::string_view name) {
  return nlohmann::json(std::string(name)).dump() + ":";
}

// Adds the field at a dotted path, making the objects on the way.
void add_field(ObjectLayout& layout, std::string_view path, FieldLayout field) {
  const auto dot = path.find('.');
  if (dot == std::string_view::npos) {
    field.name = path;
    field.label = label_of(path);
    layout.fields.push_back(std::move(field));
    return;
  }
  const auto head = path.substr(0, dot);
  auto found = std::ranges::find_if(layout.fields, [head](const FieldLayout& f) {
    return f.name == head && f.kind == FieldLayout::Kind::kObject;
  });
  if (found == layout.fields.end()) {
    FieldLayout object;
    object.name = head;
    object.label = label_of(head);
    object.kind = FieldLayout::Kind::kObject;
    object.object.emplace_back();
    layout.fields.push_back(std::move(object));
    found = std::prev(layout.fields.end());
  }
  add_field(found->object.front(), path.substr(dot + 1), std::move(field));
}

// Compiles one SearchIndex; a class only to share the tables between the steps.
class Compiler {
 public:
  explicit Compiler(std::span<const SourceBinding> bindings) : sources_(sorted(bindings)) {}

  Result<Pipeline> compile(const std::optional<PartitioningSpec>& partitioning) {
    RETURN_IF_ERROR(number_bindings());
    for (const auto* source : sources_) RETURN_IF_ERROR(connect(*source));
    pipeline_.levels.resize(pipeline_.bindings.size());
    for (BindingId id = 0; id < pipeline_.bindings.size(); ++id) {
      if (pipeline_.bindings[id].kind != BindingKind::kLookup) build_level(id);
    }
    add_arrays();
    if (partitioning) RETURN_IF_ERROR(partition(*partitioning));
    return std::move(pipeline_);
  }

 private:
  Result<void> number_bindings() {
    if (sources_.empty() || sources_.size() > kBindingsMax) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("an index has 1 to {} bindings, not {}",
                                                           kBindingsMax, sources_.size()));
    }
    int roots = 0;
    for (const auto* source : sources_) {
      const auto id = static_cast<BindingId>(pipeline_.bindings.size());
      BindingPlan plan;
      plan.name = source->metadata.name;
      plan.key = source->spec.key;
      plan.kind = static_cast<BindingKind>(source->spec.relation.index());
      if (plan.kind == BindingKind::kRoot) {
        pipeline_.root = id;
        ++roots;
      }
      ids_[plan.name] = id;
      pipeline_.bindings.push_back(std::move(plan));
    }
    if (roots != 1) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("an index has exactly one root binding, not {}", roots));
    }
    return {};
  }

  Result<BindingId> find(const std::string& name) const {
    if (name == "root") return pipeline_.root;
    const auto found = ids_.find(name);
    if (found == ids_.end()) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("no binding is named '{}'", name));
    }
    return found->second;
  }

  Result<void> connect(const SourceBinding& source) {
    const BindingId id = ids_.at(source.metadata.name);
    auto& plan = pipeline_.bindings[id];
    return std::visit(
        Overloaded{[](const RootRelation&) -> Result<void> { return {}; },
                   [&](const LookupRelation& relation) -> Result<void> {
                     ASSIGN_OR_RETURN(const BindingId holder, find(relation.of));
                     auto& holder_plan = pipeline_.bindings[holder];
                     holder_plan.lookups.push_back(
                         {id, slots_of(holder_plan, relation.from), relation.on_missing});
                     return {};
                   },
                   [&](const ChildrenRelation& relation) -> Result<void> {
                     plan.sides = {slots_of(plan, relation.from)};
                     for (const auto& order : relation.order_by) {
                       plan.order_by.push_back(
                           {slot_of(plan, order.column, FieldType::kAuto), order.direction});
                     }
                     return {};
                   },
                   [&](const LinkRelation& relation) -> Result<void> {
                     plan.sides = {slots_of(plan, relation.near), slots_of(plan, relation.far)};
                     return {};
                   }},
        source.spec.relation);
  }

  // The contexts of a level: its own row, then everything that can be looked up from it.
  void build_level(BindingId id) {
    Level& level = pipeline_.levels[id];
    level.contexts.push_back({.binding = id});
    if (pipeline_.bindings[id].kind == BindingKind::kLink) {
      level.contexts.push_back({.binding = pipeline_.root, .far = true});
    }
    for (size_t i = 0; i < level.contexts.size(); ++i) {
      const Context holder = level.contexts[i];
      if (holder.far) continue;
      const auto& lookups = pipeline_.bindings[holder.binding].lookups;
      for (size_t use = 0; use < lookups.size(); ++use) {
        level.contexts.push_back({.binding = lookups[use].target,
                                  .parent = i,
                                  .lookup = use,
                                  .on_missing = lookups[use].on_missing});
      }
    }
    for (size_t i = 0; i < level.contexts.size(); ++i) {
      if (!level.contexts[i].far) add_scalars(level, i);
    }
  }

  void add_scalars(Level& level, size_t context) {
    const BindingId id = level.contexts[context].binding;
    for (const auto& mapping : sources_[id]->spec.fields) {
      FieldLayout field;
      field.context = context;
      if (pipeline_.bindings[id].kind == BindingKind::kLink &&
          mapping.from.starts_with(kFarPrefix)) {
        field.context = 1;
        field.slot = slot_of(pipeline_.bindings[pipeline_.root],
                             mapping.from.substr(kFarPrefix.size()), mapping.type);
      } else {
        field.slot = slot_of(pipeline_.bindings[id], mapping.from, mapping.type);
      }
      add_field(level.layout, mapping.to, std::move(field));
    }
  }

  void add_arrays() {
    for (const auto* source : sources_) {
      std::string into;
      if (const auto* children = std::get_if<ChildrenRelation>(&source->spec.relation)) {
        into = children->into;
      } else if (const auto* link = std::get_if<LinkRelation>(&source->spec.relation)) {
        into = link->into;
      } else {
        continue;
      }
      FieldLayout array;
      array.kind = FieldLayout::Kind::kArray;
      array.array = ids_.at(source->metadata.name);
      add_field(pipeline_.levels[pipeline_.root].layout, into, std::move(array));
    }
  }

  // Of a field that the root's own row fills.
  Result<Slot> root_slot(const std::string& field) {
    for (const auto& mapping : sources_[pipeline_.root]->spec.fields) {
      if (mapping.to != field) continue;
      return slot_of(pipeline_.bindings[pipeline_.root], mapping.from, mapping.type);
    }
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("partitioning: `{}` is no field of the root binding", field));
  }

  Result<void> partition(const PartitioningSpec& spec) {
    ASSIGN_OR_RETURN(const Slot time, root_slot(spec.field));
    PartitionPlan plan{.every = spec.every,
                       .time = time,
                       .routing = {},
                       .retain = spec.retain,
                       .ahead = spec.ahead};
    if (spec.routing) {
      ASSIGN_OR_RETURN(plan.routing, root_slot(*spec.routing));
    }
    pipeline_.partitioning = plan;
    return {};
  }

  const std::vector<const SourceBinding*> sources_;
  std::map<std::string, BindingId> ids_;
  Pipeline pipeline_;
};

std::string describe(const Relation& relation) {
  return std::visit(
      Overloaded{[](const RootRelation&) { return std::string("root"); },
                 [](const LookupRelation& r) {
                   return fmt::format("lookup of {} from {}", r.of, fmt::join(r.from, ","));
                 },
                 [](const ChildrenRelation& r) {
                   return fmt::format("children of {} from {}", r.of, fmt::join(r.from, ","));
                 },
                 [](const LinkRelation& r) {
                   return fmt::format("link of {} near {} far {}", r.of, fmt::join(r.near, ","),
                                      fmt::join(r.far, ","));
                 }},
      relation);
}

std::string describe_topology(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  std::string text = fmt::format("partitions {}\n", index.spec.workers.partitions);
  for (const auto* b : sorted(bindings)) {
    const bool json = row_format(*b) == RecordFormat::kJson;
    text += fmt::format("{} topic {} format {} key {} {}\n", b->metadata.name, row_topic(*b),
                        json ? "json" : "debezium", fmt::join(b->spec.key, ","),
                        describe(b->spec.relation));
  }
  return text;
}

std::string describe_fields(const SourceBinding& binding) {
  std::string text;
  for (const auto& field : binding.spec.fields) {
    text += fmt::format("{} {} -> {} as {}\n", binding.metadata.name, field.from, field.to,
                        static_cast<int>(field.type));
  }
  return text;
}

// What of the relation the topology does not say.
std::string describe_relation(const SourceBinding& binding) {
  const auto& [metadata, spec] = binding;
  if (const auto* lookup = std::get_if<LookupRelation>(&spec.relation)) {
    return fmt::format("{} missing {}\n", metadata.name, static_cast<int>(lookup->on_missing));
  }
  if (const auto* link = std::get_if<LinkRelation>(&spec.relation)) {
    return fmt::format("{} into {}\n", metadata.name, link->into);
  }
  const auto* children = std::get_if<ChildrenRelation>(&spec.relation);
  if (children == nullptr) return "";
  std::string text = fmt::format("{} into {}", metadata.name, children->into);
  for (const auto& order : children->order_by) {
    text += fmt::format(" {} {}", order.column, static_cast<int>(order.direction));
  }
  return text + '\n';
}

// What the shape of a document depends on beyond the topology.
std::string describe_shape(std::span<const SourceBinding> bindings) {
  std::string text;
  for (const auto* b : sorted(bindings)) text += describe_fields(*b) + describe_relation(*b);
  return text;
}

// Of the root's row, what a field is made of.
std::string describe_source(const std::string& field, std::span<const SourceBinding> bindings) {
  for (const auto& b : bindings) {
    if (!std::holds_alternative<RootRelation>(b.spec.relation)) continue;
    for (const auto& mapping : b.spec.fields) {
      if (mapping.to == field) {
        return fmt::format("{} of {} as {}", field, mapping.from, static_cast<int>(mapping.type));
      }
    }
  }
  return field;
}

// How long partitions are kept changes in place. How far ahead they may be does not: were that less
// than before, nobody would look after what is further ahead.
std::string describe_partitioning(const std::optional<PartitioningSpec>& spec,
                                  std::span<const SourceBinding> bindings) {
  if (!spec) return "";
  return fmt::format("partitioned by {} every {} routed by {} ahead {}\n",
                     describe_source(spec->field, bindings), static_cast<int>(spec->every),
                     spec->routing ? describe_source(*spec->routing, bindings) : "",
                     spec->ahead.count());
}

std::string prefix(const SearchIndex& index) {
  return fmt::format("searchsync.{}.{}", index.metadata.namespace_, index.metadata.name);
}

std::string describe(std::optional<int64_t> bound) {
  return bound ? std::to_string(*bound) : "any";
}

// All that decides the content of a table, given the events.
std::string describe(const AggregateSpec& aggregate) {
  std::string text = fmt::format("revision {}\n", aggregate.revision);
  for (const auto& column : aggregate.columns) {
    // As lists, which quote what is in them.
    const std::vector<std::string> names{column.name, column.column.value_or(""),
                                         column.by.value_or("")};
    text += fmt::format("column {} {}", names, static_cast<int>(column.compute));
    for (const auto& condition : column.where) {
      text += fmt::format(" where {} {}", std::vector{condition.column}, condition.values);
    }
    text += '\n';
  }
  for (const auto& column : aggregate.derived) {
    text += fmt::format("derived {}\n", std::vector{column.name, column.otherwise});
    for (const auto& rule : column.rules) {
      text += fmt::format("rule {}{} when", std::vector{rule.value}, rule.sticks ? " sticks" : "");
      for (const auto& condition : rule.when) {
        text += fmt::format(" {} {}..{}", std::vector{condition.column},
                            describe(condition.minimum), describe(condition.maximum));
      }
      text += '\n';
    }
  }
  if (aggregate.dedupe) {
    text += fmt::format("dedupe by {} window {}\n", aggregate.dedupe->by,
                        aggregate.dedupe->window.count());
  }
  return text;
}

}  // namespace

Result<Pipeline> compile(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  auto pipeline = Compiler(bindings).compile(index.spec.partitioning);
  if (!pipeline) return fail(pipeline.error(), "SearchIndex " + index.metadata.name);
  return pipeline;
}

std::string source_topic(const Source& source) {
  return std::visit(Overloaded{[](const PostgresSource& postgres) {
                                 const auto& prefix = postgres.topic_prefix;
                                 return (prefix.empty() ? postgres.secret_ref.name : prefix) + "." +
                                        postgres.table;
                               },
                               [](const KafkaSource& kafka) { return kafka.topic; },
                               [](const HttpSource& http) { return http.topic.name; }},
                    source);
}

std::string row_topic(const SourceBinding& binding) {
  const auto& [metadata, spec] = binding;
  if (!spec.aggregate) return source_topic(spec.source);
  const auto definition = fmt::format("events {}\nkey {}\n{}", source_topic(spec.source),
                                      fmt::join(spec.key, ","), describe(*spec.aggregate));
  return fmt::format("searchsync.{}.{}.table-{}-{}", metadata.namespace_, spec.index_ref,
                     metadata.name, stable_hash_hex(definition, 8));
}

RecordFormat record_format(const Source& source) {
  return std::visit(Overloaded{[](const PostgresSource&) { return RecordFormat::kDebezium; },
                               [](const KafkaSource& kafka) { return kafka.format; },
                               [](const HttpSource&) { return RecordFormat::kJson; }},
                    source);
}

RecordFormat row_format(const SourceBinding& binding) {
  return binding.spec.aggregate ? RecordFormat::kJson : record_format(binding.spec.source);
}

std::string aggregate_group(const std::string& table) {
  return table + ".aggregate";
}

std::string table_prefix(const SearchIndex& index) {
  return prefix(index) + ".table-";
}

std::string topology_hash(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  return stable_hash_hex(describe_topology(index, bindings), 8);
}

std::string generation_hash(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  const auto revision = index.spec.reindex.revision;
  return stable_hash_hex(
      fmt::format("{}{}shards {}\nmappings {}\nsettings {}\n{}{}",
                  describe_topology(index, bindings), describe_shape(bindings), index.spec.shards,
                  index.spec.mappings.text, index.spec.settings ? index.spec.settings->text : "",
                  revision == 0 ? "" : fmt::format("revision {}\n", revision),
                  describe_partitioning(index.spec.partitioning, bindings)),
      8);
}

std::string lasting_hash(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  auto text = fmt::format("{}shards {}\nrevision {}\n{}", describe_topology(index, bindings),
                          index.spec.shards, index.spec.reindex.revision,
                          describe_partitioning(index.spec.partitioning, bindings));
  for (const auto* b : sorted(bindings)) text += describe_relation(*b);
  return stable_hash_hex(text, 8);
}

std::string slots_hash(const Pipeline& pipeline) {
  std::string text;
  for (const auto& binding : pipeline.bindings) {
    text += fmt::format("{}\n", std::vector{binding.name});
    for (const auto& slot : binding.slots) {
      text += fmt::format("{} {}\n", std::vector{slot.column}, static_cast<int>(slot.type));
    }
  }
  return stable_hash_hex(text, 8);
}

std::string time_source(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  const auto& spec = index.spec.partitioning;
  return spec ? fmt::format("{} every {}", describe_source(spec->field, bindings),
                            static_cast<int>(spec->every))
              : "";
}

std::string document_log_name(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  return fmt::format("{}.log-{}", prefix(index), topology_hash(index, bindings));
}

IndexName generation_index_name(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  return IndexName(fmt::format("{}-{}", index.spec.index_name, generation_hash(index, bindings)));
}

std::string dead_letter_topic(const SearchIndex& index) {
  return prefix(index) + ".dead-letters";
}

std::string route_group(const SearchIndex& index, std::span<const SourceBinding> bindings) {
  return fmt::format("{}.route-{}", prefix(index), topology_hash(index, bindings));
}

std::string fold_group(const SearchIndex& index, const IndexName& generation_index) {
  return fmt::format("{}.fold-{}", prefix(index), generation_index.get());
}

}  // namespace searchsync::model
