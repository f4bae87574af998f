#include "operator/control/engine.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "lib/base/hash.h"
#include "lib/elastic/connect.h"
#include "lib/elastic/index_body.h"
#include "lib/elastic/mixable.h"
#include "lib/http/client.h"
#include "lib/model/pipeline.h"

namespace searchsync::control {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kCheckTimeout{10};
// Kept open: there may be as many engines, or accounts on one, as there are indices.
constexpr size_t kIdleConnections = 2;
constexpr size_t kComparedMax = 10'000;
constexpr auto kSwapTimeout = model::kYield / 8;
// How long a partition is waited for in one round, and how often it is looked at meanwhile.
constexpr std::chrono::seconds kSearchableIn{3};
constexpr std::chrono::milliseconds kBetweenLooks{50};

std::string write_time(std::chrono::milliseconds time) {
  const auto hours = std::chrono::floor<std::chrono::hours>(time);
  return time == hours ? fmt::format("{}h", hours.count()) : fmt::format("{}ms", time.count());
}

std::string write_settings(const plan::IndexSettings& wanted) {
  const bool refreshed = wanted.refresh_interval != plan::kNeverRefreshed;
  const json settings = {{"index.number_of_replicas", wanted.replicas},
                         {"index.refresh_interval",
                          refreshed ? fmt::format("{}ms", wanted.refresh_interval.count()) : "-1"},
                         {"index.gc_deletes", write_time(wanted.gc_deletes)}};
  return settings.dump();
}

// An index and all its partitions: no other index of ours begins with its name.
std::string whole(const IndexName& index) {
  return index.get() + "*";
}

Result<std::string> body_of(const model::PipelineConfig& recipe) {
  ASSIGN_OR_RETURN(const auto body, elastic::index_body(recipe.index, recipe.generation_index,
                                                        recipe.generation, recipe.document_log));
  return with_recipe(body, recipe);
}

}  // namespace

Result<std::string> with_recipe(std::string_view body, const model::PipelineConfig& recipe) {
  json whole = json::parse(body, nullptr, false);
  if (!whole.is_object()) return fail(ErrorCode::kMalformed, "the index's body is not an object");
  whole["mappings"]["_meta"]["searchsync"]["recipe"] = model::to_json(recipe);
  return whole.dump();
}

Engine::Engine(std::unique_ptr<http::Client> client, elastic::Dialect dialect)
    : client_(std::move(client)), admin_(*client_, dialect) {}

Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::connect(const model::ElasticsearchSpec& spec,
                                                const model::SecretStore& secrets) {
  ASSIGN_OR_RETURN(const auto credentials, model::elasticsearch_credentials(secrets, spec));
  ASSIGN_OR_RETURN(auto options, elastic::client_options(spec, credentials));
  options.in_flight_max = kIdleConnections;
  ASSIGN_OR_RETURN(auto client, http::Client::create(std::move(options)));
  ASSIGN_OR_RETURN(const auto dialect, elastic::detect(*client));
  return std::unique_ptr<Engine>(new Engine(std::move(client), dialect));
}

Result<void> Engine::observe(const model::SearchIndex& index, plan::ObservedIndex& seen) {
  const auto& alias = index.spec.index_name;
  ASSIGN_OR_RETURN(const auto indices, admin_.list_indices(alias + "-*"));
  auto targets = admin_.alias_targets(alias);
  if (!targets && targets.error().code != ErrorCode::kConflict) {
    return std::unexpected(targets.error());
  }
  if (!targets) seen.alias_fault = targets.error().message;
  read_indices(indices, index, targets ? std::move(*targets) : std::vector<IndexName>(), seen);
  for (auto& generation : seen.generations) compare(indices, generation);
  return {};
}

void Engine::compare(const std::vector<elastic::IndexState>& indices,
                     plan::ObservedGeneration& generation) {
  if (!generation.recipe) return;
  const auto& recipe = *generation.recipe;
  // In order of name.
  const auto state = [&](const IndexName& name) -> const elastic::IndexState& {
    return *std::ranges::lower_bound(indices, name, {}, &elastic::IndexState::name);
  };
  const auto& own = state(generation.index);
  generation.differences = compared(own, recipe, [&] { return differences(own, recipe); });
  if (!recipe.renewed) return;
  for (auto& partition : generation.partitions) {
    const auto& its = state(partition.index);
    partition.lacks = !compared(its, recipe, [&] { return lacking(its, recipe); }).empty();
  }
}

std::vector<std::string> Engine::compared(const elastic::IndexState& index,
                                          const model::PipelineConfig& recipe,
                                          FunctionRef<std::vector<std::string>()> find) {
  const auto hash =
      stable_hash(recipe.index.spec.mappings.text,
                  stable_hash(index.mappings, stable_hash(index.settings, recipe.renewed ? 1 : 0)));
  {
    const std::lock_guard lock(mutex_);
    const auto known = compared_.find(index.name);
    if (known != compared_.end() && known->second.hash == hash) return known->second.differences;
  }
  auto found = find();
  const std::lock_guard lock(mutex_);
  if (compared_.size() >= kComparedMax) compared_.clear();
  compared_[index.name] = {hash, found};
  return found;
}

void Engine::run_checks(const model::SearchIndex& index, const IndexName& declared,
                        plan::ObservedIndex& seen) {
  const auto target =
      std::ranges::find(seen.generations, declared, &plan::ObservedGeneration::index);
  if (target == seen.generations.end() ||
      target->settings.refresh_interval == plan::kNeverRefreshed ||
      std::ranges::find(seen.alias, declared) != seen.alias.end()) {
    return;
  }
  for (const auto& check : index.spec.reindex.checks) {
    seen.check_hits[check.name] = count_hits(declared, check.query.text);
  }
}

// With all its partitions.
Result<int64_t> Engine::count_hits(const IndexName& index, const std::string& query) {
  const auto body = fmt::format(R"({{"size":0,"track_total_hits":true,"query":{}}})", query);
  ASSIGN_OR_RETURN(const auto answer, admin_.search(whole(index), body, kCheckTimeout));
  const json parsed = json::parse(answer, nullptr, false);
  const json::json_pointer total("/hits/total/value");
  if (!parsed.contains(total) || !parsed.at(total).is_number_integer()) {
    return fail(ErrorCode::kMalformed, "the answer has no number of hits");
  }
  return parsed.at(total).get<int64_t>();
}

Result<void> Engine::execute(const plan::CreateIndex& action) {
  const auto& recipe = action.recipe;
  ASSIGN_OR_RETURN(const auto body, body_of(recipe));
  auto created = admin_.create_index(recipe.generation_index, body);
  if (created || created.error().code != ErrorCode::kConflict) return created;
  // There already: the answer to an earlier attempt was lost, or it is somebody else's.
  ASSIGN_OR_RETURN(const auto existing, admin_.get_index(recipe.generation_index.get()));
  const auto generation = read_generation(existing, plan::object_key(recipe.index.metadata));
  if (!generation || generation->generation != recipe.generation) return created;
  return {};
}

Result<void> Engine::execute(const plan::UpdateSettings& action) {
  RETURN_IF_ERROR(admin_.update_settings(action.index, write_settings(action.settings)));
  const bool refreshed = action.settings.refresh_interval != plan::kNeverRefreshed;
  return refreshed ? admin_.refresh(action.index.get()) : Result<void>();
}

Result<void> Engine::execute(const plan::CreatePartitions& action) {
  const auto& recipe = action.recipe;
  const auto every = recipe.index.spec.partitioning->every;
  for (const auto period : action.periods) {
    const auto name = model::partition_name(recipe.generation_index, every, period);
    ASSIGN_OR_RETURN(const auto body,
                     elastic::partition_body(recipe.index, name, recipe.generation_index,
                                             recipe.generation, recipe.document_log));
    const auto created = admin_.create_index(name, body);
    if (created) continue;
    if (created.error().code != ErrorCode::kConflict) return created;
    // There already: a worker needed it first, or it is somebody else's.
    ASSIGN_OR_RETURN(const auto existing, admin_.get_index(name.get()));
    const auto owner = plan::object_key(recipe.index.metadata);
    if (!existing.meta || existing.meta->index != owner) return created;
  }
  return {};
}

Result<void> Engine::execute(const plan::SetPartitions& action) {
  RETURN_IF_ERROR(admin_.update_settings(action.partitions, write_settings(action.settings)));
  const bool refreshed = action.settings.refresh_interval != plan::kNeverRefreshed;
  return refreshed ? admin_.refresh(whole(action.generation)) : Result<void>();
}

// A partition that was made a moment ago may have no shard that works yet: who searched it beside
// the others would get no answer at all.
Result<void> Engine::wait_searchable(const IndexName& index) {
  const auto until = std::chrono::steady_clock::now() + kSearchableIn;
  while (true) {
    const auto answer =
        admin_.search(whole(index), R"({"size":0,"track_total_hits":false})", kCheckTimeout);
    if (answer) return {};
    if (std::chrono::steady_clock::now() >= until) {
      return fail(answer.error(), fmt::format("{} cannot be searched yet", whole(index)));
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

Result<void> Engine::execute(const plan::ShowPartitions& action) {
  RETURN_IF_ERROR(wait_searchable(action.index));
  return admin_.move_readers({action.alias, {action.index}, action.index});
}

Result<void> Engine::execute(const plan::DropPartitions& action) {
  return admin_.delete_indices(action.partitions);
}

Result<void> Engine::execute(const plan::AddFields& action) {
  return admin_.update_mappings(action.indices, elastic::added_fields(action.mappings));
}

Result<void> Engine::execute(const plan::WriteMeta& action) {
  ASSIGN_OR_RETURN(const auto text, body_of(action.recipe));
  const json body = json::parse(text);
  return admin_.update_mappings(action.recipe.generation_index,
                                json{{"_meta", body["mappings"]["_meta"]}}.dump());
}

Result<void> Engine::execute(const plan::PutWriteAlias& action) {
  return admin_.put_write_alias(action.index);
}

Result<void> Engine::execute(const plan::SwapAlias& action) {
  const bool partitioned = action.layout == plan::Layout::kPartitioned;
  RETURN_IF_ERROR(admin_.refresh(partitioned ? whole(action.to) : action.to.get()));
  if (partitioned) RETURN_IF_ERROR(wait_searchable(action.to));
  const auto now = std::chrono::system_clock::now();
  if (action.before && now >= *action.before) {
    return fail(ErrorCode::kTimeout,
                fmt::format("it took too long to make {} visible: the alias is moved at another "
                            "time",
                            action.to.get()));
  }
  if (partitioned) {
    return admin_.move_readers({action.alias, action.from, action.to}, kSwapTimeout);
  }
  return admin_.swap_alias(action.alias, action.from, action.to, kSwapTimeout);
}

Result<void> Engine::execute(const plan::DeleteIndex& action) {
  return admin_.delete_index(action.index);
}

}  // namespace searchsync::control
