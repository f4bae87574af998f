#include "operator/plan/expand.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "operator/plan/expand_relations.h"
#include "operator/plan/refuse.h"
#include "operator/plan/table_fields.h"
#include "operator/plan/table_names.h"

namespace searchsync::plan {
namespace {

using Json = nlohmann::json;

constexpr size_t kObjectNameMax = 63;
constexpr size_t kIndexNameMax = 200;

class Expander {
 public:
  Expander(const model::SearchIndex& index, const model::SourceBinding& binding,
           const Catalog& catalog, const std::set<std::string>& taken)
      : index_(index),
        binding_(binding),
        source_(std::get<model::PostgresSource>(binding.spec.source)),
        catalog_(catalog),
        taken_(taken) {
    const auto& mappings = index.spec.tables->mappings;
    if (mappings) overrides_ = Json::parse(mappings->text, nullptr, false);
  }

  Expansion run() {
    for (const CatalogTable& table : catalog_.tables) {
      if (!table.partition && selected(to_string(table.name))) add(table);
    }
    add_relations(catalog_, fields_, out_.kept);
    remark();
    return std::move(out_);
  }

 private:
  bool selected(const std::string& name) const {
    const auto fits = [&](const std::string& pattern) { return matches(pattern, name); };
    return std::ranges::any_of(source_.tables->include, fits) &&
           std::ranges::none_of(source_.tables->exclude, fits);
  }

  void add(const CatalogTable& table) {
    const std::string name = to_string(table.name);
    std::string reason = why_refused(table, source_.topic_prefix, catalog_.user);
    // Kafka takes the two for one.
    std::string topic = name;
    std::ranges::replace(topic, '.', '_');
    const auto [first, fresh] = topics_.try_emplace(topic, name);
    if (reason.empty() && !fresh) {
      reason = fmt::format("Kafka cannot tell its topic from that of {}; rename one of them",
                           first->second);
    }
    TableFields fields = fields_of(table, catalog_.foreign_keys, overrides_of(name));
    if (reason.empty() && fields.count > kFieldsMax) {
      reason = fmt::format(
          "it would have {} fields, and an index has at most {}; map some columns "
          "in spec.tables.mappings without sub-fields, or exclude it",
          fields.count, kFieldsMax);
    }
    KeptTable kept{.table = table.name, .path = path_name(table.name), .index = {}, .binding = {}};
    if (reason.empty() && !name_it(kept)) reason = "other resources have its names; rename it";
    if (!reason.empty()) {
      out_.refused.push_back({name, std::move(reason)});
      return;
    }
    declare(table, fields, kept);
    fields_.emplace(table.name, std::move(fields));
    out_.kept.push_back(std::move(kept));
  }

  bool name_it(KeptTable& kept) {
    auto& object = kept.index.metadata.name;
    auto& alias = kept.index.spec.index_name;
    for (const auto name : {derived_name, hashed_name}) {
      object = name(index_.metadata.name, kept.table, kObjectNameMax);
      alias = name(index_.spec.index_name, kept.table, kIndexNameMax);
      if (taken_.contains(object) || taken_.contains(alias)) continue;
      if (name == hashed_name) {
        out_.remarks.push_back(
            fmt::format("other resources have the names of table {}: it is kept "
                        "as {}",
                        to_string(kept.table), object));
      }
      return names_.insert(object).second;
    }
    return false;
  }

  void declare(const CatalogTable& table, const TableFields& fields, KeptTable& kept) const {
    const std::string name = kept.index.metadata.name;
    kept.index.metadata.namespace_ = index_.metadata.namespace_;
    model::SearchIndexSpec& spec = kept.index.spec;
    const std::string alias = std::move(spec.index_name);
    spec = index_.spec;
    spec.tables.reset();
    spec.index_name = alias;
    spec.mappings.text = fields.mappings;
    spec.query.replicas = 0;  // the parent's answers for it
    spec.query.port = 0;
    kept.binding.metadata = kept.index.metadata;
    model::SourceBindingSpec& its = kept.binding.spec;
    its.index_ref = name;
    its.source = model::PostgresSource{.secret_ref = source_.secret_ref,
                                       .table = to_string(table.name),
                                       .topic_prefix = source_.topic_prefix,
                                       .tables = std::nullopt,
                                       .revision = table.revision};
    its.key = table.key;
    its.fields = fields.fields;
    its.errors = binding_.spec.errors;
  }

  std::string overrides_of(const std::string& table) {
    if (!overrides_.is_object() || !overrides_.contains(table)) return "{}";
    used_.insert(table);
    return overrides_[table].dump();
  }

  bool exists(std::string_view pattern) const {
    return std::ranges::any_of(catalog_.tables, [&](const CatalogTable& table) {
      return matches(pattern, to_string(table.name));
    });
  }

  void remark() {
    for (const std::string& pattern : source_.tables->include) {
      if (pattern.find('*') == std::string::npos && !exists(pattern)) {
        out_.remarks.push_back(fmt::format("there is no table {} to include", pattern));
      }
    }
    if (!overrides_.is_object()) return;
    for (const auto& [table, columns] : overrides_.items()) {
      const auto kept = std::ranges::find(
          out_.kept, table, [](const KeptTable& one) { return to_string(one.table); });
      if (!used_.contains(table)) {
        out_.remarks.push_back(
            fmt::format("spec.tables.mappings names {}, which is no table that is kept", table));
      }
      if (kept == out_.kept.end()) continue;
      for (const auto& [column, mapping] : columns.items()) {
        if (std::ranges::find(kept->binding.spec.fields, column, &model::FieldMapping::from) ==
            kept->binding.spec.fields.end()) {
          out_.remarks.push_back(fmt::format(
              "spec.tables.mappings names a column {} that {} does not have", column, table));
        }
      }
    }
  }

  const model::SearchIndex& index_;
  const model::SourceBinding& binding_;
  const model::PostgresSource& source_;
  const Catalog& catalog_;
  const std::set<std::string>& taken_;
  Json overrides_;
  std::set<std::string> used_;                 // of overrides_
  std::set<std::string> names_;                // given so far
  std::map<std::string, std::string> topics_;  // by what Kafka tells topics apart by: the table
  std::map<TableName, TableFields> fields_;    // of those kept
  Expansion out_;
};

}  // namespace

Expansion expand(const model::SearchIndex& index, const model::SourceBinding& binding,
                 const Catalog& catalog, const std::set<std::string>& taken) {
  return Expander(index, binding, catalog, taken).run();
}

}  // namespace searchsync::plan
