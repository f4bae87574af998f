#include "query/run/callers.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "lib/base/log.h"
#include "query/keys.h"
#include "query/run/relations.h"

namespace searchsync::query {
namespace {

// The fields of a document that are asked for by their whole names.
std::string only(const std::vector<std::string>& fields, const std::string& document) {
  if (document.empty()) return document;
  const auto all = nlohmann::json::parse(document);
  auto some = nlohmann::json::object();
  for (const auto& field : fields) {
    if (all.contains(field)) some[field] = all[field];
  }
  return some.dump();
}

// The rules of a key for the index; none: it is not for this index.
Result<std::optional<Rules>> rules_of(const ApiKey& key, const model::PipelineConfig& config,
                                      const Rules& declared) {
  const model::SearchIndexSpec& spec = config.index.spec;
  const IndexGrant* grant = grant_of(key, spec.index_name);
  if (grant == nullptr) return std::nullopt;
  ASSIGN_OR_RETURN(const auto everything, FieldCatalog::create(spec.mappings, {}));
  auto restriction = restrict(declared.catalog, everything, *grant);
  if (!restriction) return fail(restriction.error(), fmt::format("API key {}", key.name));
  Rules rules = declared;
  rules.subject = key.name;
  rules.catalog = std::move(restriction->catalog);
  rules.fixed = std::move(restriction->fixed);
  rules.visible = std::move(restriction->visible);
  if (!rules.visible.empty()) rules.absent = only(rules.visible, declared.absent);
  rules.limited = key.indices.has_value();
  rules.commands = key.commands;
  if (!rules.commands && key.indices) rules.commands.emplace();
  const auto relations = restrict_relations(config, key, rules);
  if (!relations) return fail(relations.error(), fmt::format("API key {}", key.name));
  return rules;
}

}  // namespace

Result<std::vector<Caller>> read_callers(const model::FolderSecrets& secrets,
                                         const model::PipelineConfig& config,
                                         const Rules& declared) {
  const std::string& secret = config.index.spec.query.keys_secret_ref->name;
  ASSIGN_OR_RETURN(const auto entries, secrets.entries(secret));
  std::vector<Caller> callers;
  for (const std::string& entry : entries) {
    ASSIGN_OR_RETURN(const std::string text, secrets.get(secret, entry));
    ASSIGN_OR_RETURN(const ApiKey key, read_api_key(entry, text));
    ASSIGN_OR_RETURN(auto rules, rules_of(key, config, declared));
    for (const Caller& other : callers) {
      if (!equal(other.digest, key.digest)) continue;
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("API keys {} and {} of secret {} are the same", other.name, key.name,
                              secret));
    }
    callers.push_back({.name = key.name,
                       .digest = key.digest,
                       .rules = std::move(rules),
                       .rate_limit = key.rate_limit});
  }
  if (callers.empty()) log::warning("secret {} has no entries: nobody may ask anything", secret);
  return callers;
}

}  // namespace searchsync::query
