#include "operator/plan/expand_relations.h"

#include <algorithm>
#include <string>

#include "lib/base/hash.h"
#include "operator/plan/table_names.h"

namespace searchsync::plan {
namespace {

constexpr size_t kRelationsMax = 256;
constexpr size_t kNameMax = 63;

// One way of one foreign key.
struct Way {
  std::string other;  // the other table, as relations are called
  std::string exact;  // with the column
  model::RelationSpec spec;
};

const RelatingField* field_of(const std::map<TableName, TableFields>& fields,
                              const TableName& table, const std::string& column) {
  const auto known = fields.find(table);
  if (known == fields.end()) return nullptr;
  const auto field = known->second.relating.find(column);
  return field == known->second.relating.end() ? nullptr : &field->second;
}

std::string fitted(std::string name) {
  if (name.empty()) name = "table";
  if (name.size() <= kNameMax) return name;
  const std::string hash = stable_hash_hex(name, 8);
  name = name.substr(0, kNameMax - 1 - hash.size());
  while (name.ends_with('-')) name.pop_back();
  return name + "-" + hash;
}

void give_names(std::vector<Way>& ways, std::vector<model::RelationSpec>& relations) {
  std::map<std::string, int> leading;
  for (const Way& way : ways) ++leading[way.other];
  std::map<std::string, model::RelationSpec> named;
  for (Way& way : ways) {
    way.spec.name = fitted(leading[way.other] == 1 ? way.other : way.exact);
    named.try_emplace(way.spec.name, way.spec);
  }
  for (auto& [name, spec] : named) {
    if (relations.size() < kRelationsMax) relations.push_back(std::move(spec));
  }
}

}  // namespace

void add_relations(const Catalog& catalog, const std::map<TableName, TableFields>& fields,
                   std::vector<KeptTable>& kept) {
  std::map<TableName, KeptTable*> tables;
  for (KeptTable& one : kept) tables.emplace(one.table, &one);
  std::map<TableName, std::vector<Way>> ways;
  for (const ForeignKey& key : catalog.foreign_keys) {
    const RelatingField* from = field_of(fields, key.from, key.column);
    const RelatingField* to = field_of(fields, key.to, key.to_column);
    if (from == nullptr || to == nullptr || from->whole_number != to->whole_number) continue;
    const std::string near = slug(path_name(key.from));
    const std::string far = slug(path_name(key.to));
    ways[key.from].push_back({.other = far,
                              .exact = far + "-by-" + slug(key.column),
                              .spec = {.name = "",
                                       .index = tables.at(key.to)->index.metadata.name,
                                       .from = from->path,
                                       .to = to->path}});
    ways[key.to].push_back({.other = near,
                            .exact = near + "-with-" + slug(key.column),
                            .spec = {.name = "",
                                     .index = tables.at(key.from)->index.metadata.name,
                                     .from = to->path,
                                     .to = from->path}});
  }
  for (auto& [table, its] : ways) give_names(its, tables.at(table)->index.spec.query.relations);
}

}  // namespace searchsync::plan
