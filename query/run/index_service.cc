#include "query/run/index_service.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "lib/base/log.h"
#include "lib/kafka/connect.h"
#include "query/run/callers.h"
#include "query/run/relations.h"
#include "query/tiebreak.h"

namespace searchsync::query {
namespace {

CommandPool::Options pool_options(const model::SecretStore& secrets,
                                  const model::CommandsSpec& spec) {
  return {.conninfo = [&secrets,
                       database =
                           spec.secret_ref] { return model::postgres_conninfo(secrets, database); },
          .connections = spec.connections,
          .timeout = spec.timeout};
}

std::vector<model::CommandSpec> functions_of(const model::QuerySpec& spec) {
  return spec.commands ? spec.commands->functions : std::vector<model::CommandSpec>();
}

// Whether what a document is routed by is what its field says: no conversion is between them.
bool says_route(const model::PipelineConfig& config, const std::string& routing) {
  return std::ranges::any_of(config.bindings, [&](const auto& binding) {
    const auto& spec = binding.spec;
    if (!std::holds_alternative<model::RootRelation>(spec.relation)) return false;
    return std::ranges::any_of(spec.fields, [&](const auto& field) {
      return field.to == routing &&
             (field.type == model::FieldType::kAuto || field.type == model::FieldType::kString);
    });
  });
}

std::optional<Partitions> partitions_of(const model::PipelineConfig& config,
                                        const FieldCatalog& catalog) {
  const auto& spec = config.index.spec;
  if (!spec.partitioning) return std::nullopt;
  auto partitioning = *spec.partitioning;
  if (partitioning.routing && !says_route(config, *partitioning.routing)) {
    partitioning.routing.reset();
  }
  return Partitions(spec.index_name, std::move(partitioning), spec.shards, catalog);
}

// So that the door finds them in its options.
Door::Options with(Door::Options options, OwnWrites& own_writes) {
  options.own_writes = &own_writes;
  return options;
}

}  // namespace

IndexService::IndexService(const model::PipelineConfig& config, Door::Options door,
                           kafka::ClientConfig kafka, const Parts& parts)
    : screeners_(read_screeners(config.index.spec.query.screeners)),
      own_writes_(config, kafka, parts.engine),
      door_(with(std::move(door), own_writes_), parts.registry),
      freshness_(config, std::move(kafka)),
      service_(door_, parts.engine, freshness_, config.index.spec.mappings, screeners_,
               functions_of(config.index.spec.query)),
      exporter_(door_, parts.engine, parts.registry),
      screener_paths_(screeners_, door_, service_, exporter_) {
  const auto& commands = config.index.spec.query.commands;
  if (!commands) return;
  pool_.emplace(pool_options(parts.secrets, *commands));
  commands_.emplace(*commands, *pool_, door_);
}

Result<std::unique_ptr<IndexService>> IndexService::create(const model::PipelineConfig& config,
                                                           const std::string& name,
                                                           const Parts& parts) {
  const model::SearchIndexSpec& spec = config.index.spec;
  ASSIGN_OR_RETURN(const FieldCatalog catalog,
                   FieldCatalog::create(spec.mappings, spec.query.filterable));
  const std::vector<std::string> tiebreak = tiebreak_fields(config.bindings, catalog);
  if (tiebreak.empty()) {
    log::warning(
        "index {}: there are no pages after the first, because the documents do not hold "
        "the root's key; map it in the root's binding to a keyword or integer field",
        spec.index_name);
  }
  ASSIGN_OR_RETURN(auto kafka, kafka::client_config(spec.kafka, parts.secrets, "searchsync-query"));
  const Rules rules{.catalog = catalog,
                    .tiebreak = tiebreak,
                    .page_size_max = spec.query.page_size_max,
                    .mixed = spec.partitioning.has_value(),
                    .absent = spec.query.absent ? spec.query.absent->text : "",
                    .relations = read_relations(config, catalog),
                    .related_keys_max = spec.query.related_keys_max};
  std::optional<std::vector<Caller>> keys;
  if (spec.query.keys_secret_ref) {
    ASSIGN_OR_RETURN(keys, read_callers(parts.secrets, config, rules));
  }
  Door::Options door{.index = spec.index_name,
                     .name = name,
                     .rules = rules,
                     .timeout = spec.query.timeout,
                     .keys = std::move(keys),
                     .rate_limit = spec.query.rate_limit,
                     .partitions = partitions_of(config, catalog)};
  return std::unique_ptr<IndexService>(
      new IndexService(config, std::move(door), std::move(kafka), parts));
}

void IndexService::add_routes(http::Routes& routes) {
  service_.add_routes(routes);
  exporter_.add_routes(routes);
  screener_paths_.add_routes(routes);
  if (commands_) commands_->add_routes(routes);
}

}  // namespace searchsync::query
