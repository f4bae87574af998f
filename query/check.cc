#include "query/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "query/fields.h"
#include "query/related.h"
#include "query/screeners.h"
#include "query/tiebreak.h"

namespace searchsync::query {
namespace {

std::vector<model::SourceBinding> bindings_of(const model::Resources& resources,
                                              const model::SearchIndex& index) {
  std::vector<model::SourceBinding> bindings;
  for (const model::SourceBinding& binding : resources.bindings) {
    if (binding.metadata.namespace_ == index.metadata.namespace_ &&
        binding.spec.index_ref == index.metadata.name) {
      bindings.push_back(binding);
    }
  }
  return bindings;
}

const model::SearchIndex* find_other(const model::Resources& resources,
                                     const model::SearchIndex& index,
                                     const model::RelationSpec& relation) {
  const model::ObjectMeta metadata{relation.index, index.metadata.namespace_};
  const auto found = std::ranges::find(resources.indices, metadata, &model::SearchIndex::metadata);
  return found == resources.indices.end() ? nullptr : &*found;
}

FieldCatalog catalog_of(const model::SearchIndex& index) {
  // What is wrong with it is said of that index.
  return FieldCatalog::create(index.spec.mappings, index.spec.query.filterable)
      .value_or(FieldCatalog());
}

Relation relation_of(const model::Resources& resources, const model::SearchIndex& index,
                     const model::RelationSpec& spec) {
  const model::SearchIndex* other = find_other(resources, index, spec);
  return {.name = spec.name,
          .index = spec.index,
          .from = spec.from,
          .to = spec.to,
          .catalog = other == nullptr ? FieldCatalog() : catalog_of(*other)};
}

std::string relation_fault(const model::Resources& resources, const model::SearchIndex& index,
                           const model::RelationSpec& relation, const FieldCatalog& catalog) {
  const model::SearchIndex* other = find_other(resources, index, relation);
  if (other == nullptr) return {};  // which is said already
  const auto& keys = other->spec.query.keys_secret_ref;
  if (keys && keys != index.spec.query.keys_secret_ref) {
    return fmt::format("{} has API keys of another secret: name the same in query.keysSecretRef",
                       object_name(*other));
  }
  return relation_problem(catalog, relation.from, catalog_of(*other), relation.to);
}

}  // namespace

std::vector<model::Fault> check_queries(const model::Resources& resources,
                                        const model::Origins& origins) {
  std::vector<model::Fault> faults;
  for (const model::SearchIndex& index : resources.indices) {
    if (index.spec.tables) continue;
    const auto fault = [&](std::string path, std::string message) {
      faults.push_back(origins.fault(object_name(index), std::move(path), std::move(message)));
    };
    const model::QuerySpec& spec = index.spec.query;
    auto catalog = FieldCatalog::create(index.spec.mappings, spec.filterable);
    if (!catalog) {
      fault("spec.query", catalog.error().message);
      continue;
    }
    for (size_t i = 0; i < spec.relations.size(); ++i) {
      const std::string problem = relation_fault(resources, index, spec.relations[i], *catalog);
      if (!problem.empty()) fault(fmt::format("spec.query.relations[{}]", i), problem);
    }
    Rules rules{.catalog = *catalog,
                .tiebreak = tiebreak_fields(bindings_of(resources, index), *catalog),
                .page_size_max = spec.page_size_max};
    for (const model::RelationSpec& spec_of : spec.relations) {
      // What screeners ask of other indices is checked as those are.
      rules.relations.push_back(relation_of(resources, index, spec_of));
    }
    const auto screeners = read_screeners(spec.screeners);
    for (size_t i = 0; i < screeners.size(); ++i) {
      const Faults found = check_screener(screeners[i], rules);
      for (const Fault& one : found.list()) {
        const std::string_view inner =
            one.path.starts_with("screener.") ? std::string_view(one.path).substr(9) : one.path;
        fault(fmt::format("spec.query.screeners[{}].{}", i, inner), "expected " + one.expected);
      }
    }
  }
  model::sort(faults);
  return faults;
}

}  // namespace searchsync::query
