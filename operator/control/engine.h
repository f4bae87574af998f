#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/function_ref.h"
#include "lib/elastic/admin.h"
#include "lib/model/resources.h"
#include "lib/model/secrets.h"
#include "operator/plan/actions.h"
#include "operator/plan/observed.h"

namespace searchsync::http {
class Client;
}

namespace searchsync::control {

// The search engine of one SearchIndex.
class Engine {
 public:
  // Asks it who it is. Errors: those of elastic::detect, kNotFound for a secret.
  static Result<std::unique_ptr<Engine>> connect(const model::ElasticsearchSpec& spec,
                                                 const model::SecretStore& secrets);
  ~Engine();

  // Fills in the engine's part of `seen`.
  Result<void> observe(const model::SearchIndex& index, plan::ObservedIndex& seen);

  // Fills in seen.check_hits, of a `seen` that observe() has filled in.
  void run_checks(const model::SearchIndex& index, const IndexName& declared,
                  plan::ObservedIndex& seen);

  Result<void> execute(const plan::CreateIndex& action);
  Result<void> execute(const plan::UpdateSettings& action);
  Result<void> execute(const plan::CreatePartitions& action);
  Result<void> execute(const plan::SetPartitions& action);
  Result<void> execute(const plan::ShowPartitions& action);
  Result<void> execute(const plan::DropPartitions& action);
  Result<void> execute(const plan::AddFields& action);
  Result<void> execute(const plan::WriteMeta& action);
  Result<void> execute(const plan::PutWriteAlias& action);
  Result<void> execute(const plan::SwapAlias& action);
  Result<void> execute(const plan::DeleteIndex& action);

 private:
  Engine(std::unique_ptr<http::Client> client, elastic::Dialect dialect);

  Result<void> wait_searchable(const IndexName& index);
  Result<int64_t> count_hits(const IndexName& index, const std::string& query);
  void compare(const std::vector<elastic::IndexState>& indices,
               plan::ObservedGeneration& generation);
  // What differs in the index from the recipe; found out by `find` if it is not known.
  std::vector<std::string> compared(const elastic::IndexState& index,
                                    const model::PipelineConfig& recipe,
                                    FunctionRef<std::vector<std::string>()> find);

  const std::unique_ptr<http::Client> client_;
  elastic::Admin admin_;

  // What was found in an index as it is now: to find it takes longer than all else of a look.
  struct Compared {
    uint64_t hash = 0;  // of its mappings and settings, and of the recipe's
    std::vector<std::string> differences;
  };
  std::mutex mutex_;
  std::map<IndexName, Compared> compared_;  // guarded by mutex_
};

// The generation that `index` is, or nothing if its _meta does not name `key`, or contradicts
// itself. Without its differences. Pure.
std::optional<plan::ObservedGeneration> read_generation(const elastic::IndexState& index,
                                                        const plan::ObjectKey& key);

// What differs in the index from what the recipe makes; nothing if this version cannot make it.
std::vector<std::string> differences(const elastic::IndexState& index,
                                     const model::PipelineConfig& recipe);
// Of the recipe, the fields that a partition does not have; nothing if it would not take them.
std::vector<std::string> lacking(const elastic::IndexState& partition,
                                 const model::PipelineConfig& recipe);
// The engine's part of an observation, from all indices named <alias>-* by name, and from what the
// alias leads to. Pure.
void read_indices(const std::vector<elastic::IndexState>& indices, const model::SearchIndex& index,
                  const std::vector<IndexName>& targets, plan::ObservedIndex& seen);

// `body`, of elastic::index_body, with the recipe in mappings._meta.searchsync.recipe. Pure.
// Errors: kMalformed.
Result<std::string> with_recipe(std::string_view body, const model::PipelineConfig& recipe);

}  // namespace searchsync::control
