#include "query/run/relations.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/log.h"
#include "query/related.h"

namespace searchsync::query {
namespace {

const model::RelatedIndex* find_other(const model::PipelineConfig& config,
                                      const model::RelationSpec& spec) {
  const auto found = std::ranges::find(config.related, spec.index, &model::RelatedIndex::name);
  return found == config.related.end() ? nullptr : &*found;
}

// Fills in what is known of the other index. Returns why the relation cannot be gone, if so.
std::string look_at_other(const model::PipelineConfig& config, const FieldCatalog& catalog,
                          const model::RelationSpec& spec, Relation& relation) {
  const model::RelatedIndex* other = find_other(config, spec);
  if (other == nullptr) {
    return fmt::format(
        "there is no SearchIndex {} in the namespace, or it is at another search "
        "engine",
        spec.index);
  }
  relation.index = other->index_name;
  auto known = FieldCatalog::create(other->mappings, other->filterable);
  if (!known) return known.error().message;
  relation.catalog = std::move(*known);
  // Whoever has no key for the other index must not learn of it through this one.
  if (other->keys_secret_ref && other->keys_secret_ref != config.index.spec.query.keys_secret_ref) {
    return fmt::format(
        "the index {} has API keys of another secret; name the same in "
        "query.keysSecretRef of both",
        relation.index);
  }
  return relation_problem(catalog, spec.from, relation.catalog, spec.to);
}

}  // namespace

std::vector<Relation> read_relations(const model::PipelineConfig& config,
                                     const FieldCatalog& catalog) {
  std::vector<Relation> relations;
  for (const model::RelationSpec& spec : config.index.spec.query.relations) {
    Relation& relation = relations.emplace_back(
        Relation{.name = spec.name, .index = spec.index, .from = spec.from, .to = spec.to});
    const std::string problem = look_at_other(config, catalog, spec, relation);
    if (problem.empty()) continue;
    relation.problem = fmt::format("relation {} cannot be used: {}", spec.name, problem);
    log::warning("{}", relation.problem);
  }
  return relations;
}

Result<void> restrict_relations(const model::PipelineConfig& config, const ApiKey& key,
                                Rules& rules) {
  if (!rules.limited) return {};
  std::vector<Relation> usable;
  for (size_t i = 0; i < rules.relations.size(); ++i) {
    Relation& relation = rules.relations[i];
    const model::RelatedIndex* other = find_other(config, config.index.spec.query.relations[i]);
    const IndexGrant* grant = other == nullptr ? nullptr : grant_of(key, relation.index);
    if (grant == nullptr || !relation.problem.empty()) continue;
    ASSIGN_OR_RETURN(const auto everything, FieldCatalog::create(other->mappings, {}));
    ASSIGN_OR_RETURN(auto restriction, restrict(relation.catalog, everything, *grant));
    relation.catalog = std::move(restriction.catalog);
    relation.fixed = std::move(restriction.fixed);
    const bool shown = rules.catalog.find(relation.from) != nullptr &&
                       relation.catalog.find(relation.to) != nullptr;
    if (shown) usable.push_back(std::move(relation));
  }
  rules.relations = std::move(usable);
  return {};
}

}  // namespace searchsync::query
