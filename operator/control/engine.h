#pragma once

#include <memory>
#include <string>

#include "lib/base/error.h"
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

  const model::ElasticsearchSpec& spec() const { return spec_; }

  // Fills in the engine's part of `seen`.
  Result<void> observe(const model::SearchIndex& index, plan::ObservedIndex& seen);

  Result<void> execute(const plan::CreateIndex& action);
  Result<void> execute(const plan::UpdateSettings& action);
  Result<void> execute(const plan::SwapAlias& action);
  Result<void> execute(const plan::DeleteIndex& action);

 private:
  Engine(model::ElasticsearchSpec spec, std::unique_ptr<http::Client> client,
         elastic::Dialect dialect);

  const model::ElasticsearchSpec spec_;
  const std::unique_ptr<http::Client> client_;
  elastic::Admin admin_;
};

// The generation that `index` is, or nothing if its _meta does not name `key`. Pure.
std::optional<plan::ObservedGeneration> read_generation(const elastic::IndexState& index,
                                                        const plan::ObjectKey& key);

// `body`, of elastic::index_body, with the recipe in mappings._meta.searchsync.recipe. Pure.
// Errors: kMalformed.
Result<std::string> with_recipe(std::string_view body, const model::PipelineConfig& recipe);

}  // namespace searchsync::control
