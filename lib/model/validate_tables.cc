#include "lib/model/validate_tables.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

#include "lib/model/json.h"
#include "lib/model/resource_schema.h"

namespace searchsync::model {
namespace {

class TablesCheck {
 public:
  TablesCheck(const Resources& resources, const Origins& origins)
      : resources_(resources), origins_(origins) {}

  std::vector<Fault> run() {
    for (const SearchIndex& index : resources_.indices) {
      if (index.spec.tables) check_index(index);
    }
    for (const SourceBinding& binding : resources_.bindings) {
      if (selection_of(binding) == nullptr) continue;
      check_target(binding);
      check_prefixes(binding);
    }
    return std::move(faults_);
  }

 private:
  void fault(std::string object, std::string path, std::string message) {
    faults_.push_back(origins_.fault(std::move(object), std::move(path), std::move(message)));
  }

  void check_index(const SearchIndex& index) {
    check_mappings(index);
    const SourceBinding* first = nullptr;
    for (const SourceBinding& binding : resources_.bindings) {
      if (binding.metadata.namespace_ != index.metadata.namespace_ ||
          binding.spec.index_ref != index.metadata.name) {
        continue;
      }
      if (selection_of(binding) == nullptr) {
        fault(object_name(binding), "spec.source",
              fmt::format("{} has `tables`: expected a source with postgres.tables, or another "
                          "index for this table",
                          object_name(index)));
      } else if (first != nullptr) {
        fault(object_name(binding), "spec.indexRef.name",
              fmt::format("{} is the binding of this index already: give each database a "
                          "SearchIndex of its own",
                          object_name(*first)));
      } else {
        first = &binding;
      }
    }
    if (first == nullptr && !origins_.hides_objects()) {
      fault(object_name(index), "",
            "no SourceBinding names its database: add one with source.postgres.tables");
    }
  }

  void check_mappings(const SearchIndex& index) {
    if (!index.spec.tables->mappings) return;
    const Result<Node> mappings = parse_json(index.spec.tables->mappings->text);
    if (!mappings || mappings->mapping() == nullptr) return;
    for (const Node::Entry& table : *mappings->mapping()) {
      const std::string path = fmt::format("spec.tables.mappings.{}", table.key);
      if (table.key.find('.') == std::string::npos) {
        fault(object_name(index), path, "expected a table as schema.table");
      } else if (table.value.mapping() == nullptr) {
        fault(object_name(index), path, "expected an object with a mapping for each column");
      } else {
        check_columns(index, path, *table.value.mapping());
      }
    }
  }

  void check_columns(const SearchIndex& index, const std::string& path,
                     const Node::Mapping& columns) {
    for (const Node::Entry& column : columns) {
      if (column.value.mapping() != nullptr) continue;
      fault(object_name(index), fmt::format("{}.{}", path, column.key),
            "expected a mapping, such as {type: keyword}");
    }
  }

  void check_target(const SourceBinding& binding) {
    const ObjectMeta metadata{binding.spec.index_ref, binding.metadata.namespace_};
    const auto index = std::ranges::find(resources_.indices, metadata, &SearchIndex::metadata);
    if (index == resources_.indices.end() || index->spec.tables) return;
    fault(object_name(binding), "spec.source.postgres.tables",
          fmt::format("{} is one index and cannot keep many tables: give it `tables: {{}}` in "
                      "place of mappings, or name one table here",
                      object_name(*index)));
  }

  // Whoever else reads tables of the database reads the same topics.
  void check_prefixes(const SourceBinding& binding) {
    const auto& source = std::get<PostgresSource>(binding.spec.source);
    for (const SourceBinding& other : resources_.bindings) {
      const auto* its = std::get_if<PostgresSource>(&other.spec.source);
      const bool shared = its != nullptr && its->secret_ref == source.secret_ref &&
                          other.metadata.namespace_ == binding.metadata.namespace_;
      if (!shared || its->topic_prefix == source.topic_prefix) continue;
      fault(object_name(binding), "spec.source.postgres.topicPrefix",
            fmt::format("{} captures the same database with the prefix `{}`: use the same",
                        object_name(other), its->topic_prefix));
      return;
    }
  }

  const Resources& resources_;
  const Origins& origins_;
  std::vector<Fault> faults_;
};

}  // namespace

const TableSelection* selection_of(const SourceBinding& binding) {
  const auto* postgres = std::get_if<PostgresSource>(&binding.spec.source);
  return postgres != nullptr && postgres->tables ? &*postgres->tables : nullptr;
}

std::vector<Fault> validate_tables(const Resources& resources, const Origins& origins) {
  return TablesCheck(resources, origins).run();
}

}  // namespace searchsync::model
