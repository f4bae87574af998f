#include "operator/control/engine.h"

#include <fmt/core.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "lib/elastic/connect.h"
#include "lib/elastic/index_body.h"
#include "lib/http/client.h"

namespace searchsync::control {
namespace {

using nlohmann::json;

// "1s", "500ms", "2m"; "-1" is never.
std::chrono::milliseconds read_time(const std::string& text) {
  char* unit = nullptr;
  const auto number = std::strtoll(text.c_str(), &unit, 10);
  const std::string_view name(unit);
  if (name == "s") return std::chrono::seconds(number);
  if (name == "m") return std::chrono::minutes(number);
  if (name == "h") return std::chrono::hours(number);
  return std::chrono::milliseconds(number);
}

}  // namespace

std::optional<plan::ObservedGeneration> read_generation(const elastic::IndexState& index,
                                                        const plan::ObjectKey& key) {
  if (!index.meta || index.meta->index != key) return std::nullopt;
  plan::ObservedGeneration generation{.index = index.name,
                                      .generation = index.meta->generation,
                                      .document_log = index.meta->document_log,
                                      .recipe = {}};
  const json settings = json::parse(index.settings, nullptr, false);
  const auto setting = [&](const char* name, std::string otherwise) {
    return settings.is_object() ? settings.value(name, otherwise) : otherwise;
  };
  generation.replicas = std::atoi(setting("index.number_of_replicas", "1").c_str());
  generation.refresh_interval = read_time(setting("index.refresh_interval", "1s"));
  const json mappings = json::parse(index.mappings, nullptr, false);
  const auto recipe = json::json_pointer("/_meta/searchsync/recipe");
  if (mappings.is_object() && mappings.contains(recipe) && mappings.at(recipe).is_string()) {
    auto config = model::parse_pipeline_config(mappings.at(recipe).get<std::string>());
    if (config) generation.recipe = std::move(*config);
  }
  return generation;
}

Result<std::string> with_recipe(std::string_view body, const model::PipelineConfig& recipe) {
  json whole = json::parse(body, nullptr, false);
  if (!whole.is_object()) return fail(ErrorCode::kMalformed, "the index's body is not an object");
  whole["mappings"]["_meta"]["searchsync"]["recipe"] = model::to_json(recipe);
  return whole.dump();
}

Engine::Engine(model::ElasticsearchSpec spec, std::unique_ptr<http::Client> client,
               elastic::Dialect dialect)
    : spec_(std::move(spec)), client_(std::move(client)), admin_(*client_, dialect) {}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::connect(const model::ElasticsearchSpec& spec,
                                                const model::SecretStore& secrets) {
  ASSIGN_OR_RETURN(const auto credentials, model::elasticsearch_credentials(secrets, spec));
  ASSIGN_OR_RETURN(auto options, elastic::client_options(spec, credentials));
  ASSIGN_OR_RETURN(auto client, http::Client::create(std::move(options)));
  ASSIGN_OR_RETURN(const auto dialect, elastic::detect(*client));
  return std::unique_ptr<Engine>(new Engine(spec, std::move(client), dialect));
}

Result<void> Engine::observe(const model::SearchIndex& index, plan::ObservedIndex& seen) {
  const auto key = plan::object_key(index.metadata);
  const auto& alias = index.spec.index_name;
  ASSIGN_OR_RETURN(const auto indices, admin_.list_indices(alias + "-*"));
  for (const auto& one : indices) {
    if (auto generation = read_generation(one, key)) {
      seen.generations.push_back(std::move(*generation));
    } else {
      seen.foreign.insert(one.name);
    }
  }
  auto targets = admin_.alias_targets(alias);
  if (targets) {
    seen.alias = std::move(*targets);
  } else if (targets.error().code == ErrorCode::kConflict) {
    seen.alias_fault = targets.error().message;
  } else {
    return std::unexpected(targets.error());
  }
  return {};
}

Result<void> Engine::execute(const plan::CreateIndex& action) {
  const auto& recipe = action.recipe;
  ASSIGN_OR_RETURN(const auto body, elastic::index_body(recipe.index, recipe.generation_index,
                                                        recipe.generation, recipe.document_log));
  ASSIGN_OR_RETURN(const auto whole, with_recipe(body, recipe));
  auto created = admin_.create_index(recipe.generation_index, whole);
  if (created || created.error().code != ErrorCode::kConflict) return created;
  // There already: the answer to an earlier attempt was lost, or it is somebody else's.
  ASSIGN_OR_RETURN(const auto existing, admin_.get_index(recipe.generation_index.get()));
  const auto generation = read_generation(existing, plan::object_key(recipe.index.metadata));
  if (!generation || generation->generation != recipe.generation) return created;
  return {};
}

Result<void> Engine::execute(const plan::UpdateSettings& action) {
  const bool refreshed = action.refresh_interval != plan::kNeverRefreshed;
  const json settings = {{"index.number_of_replicas", action.replicas},
                         {"index.refresh_interval",
                          refreshed ? fmt::format("{}ms", action.refresh_interval.count()) : "-1"}};
  RETURN_IF_ERROR(admin_.update_settings(action.index, settings.dump()));
  return refreshed ? admin_.refresh(action.index.get()) : Result<void>();
}

Result<void> Engine::execute(const plan::SwapAlias& action) {
  return admin_.swap_alias(action.alias, action.from, action.to);
}

Result<void> Engine::execute(const plan::DeleteIndex& action) {
  return admin_.delete_index(action.index);
}

}  // namespace searchsync::control
