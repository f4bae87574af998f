#include "query/run/query_main.h"

#include <fmt/format.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "lib/elastic/admin.h"
#include "lib/elastic/connect.h"
#include "lib/http/client.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "lib/model/config_file.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"
#include "query/run/index_service.h"
#include "query/run/table_routes.h"

namespace searchsync::query {
namespace {

// Connections served at once: each holds a thread, most of which wait, for their client's next
// request or for the search engine.
constexpr size_t kServerThreads = 256;
constexpr size_t kEngineConnections = 64;  // kept open
// How long exports may go on once this is to stop: less than a pod is given.
constexpr std::chrono::seconds kExportGrace{15};
constexpr std::string_view kEngineHealth = "search engine";

Result<std::unique_ptr<http::Client>> connect(const model::ElasticsearchSpec& spec,
                                              const model::SecretStore& secrets) {
  ASSIGN_OR_RETURN(const auto credentials, model::elasticsearch_credentials(secrets, spec));
  ASSIGN_OR_RETURN(auto options, elastic::client_options(spec, credentials));
  options.in_flight_max = kEngineConnections;
  return http::Client::create(std::move(options));
}

class Waiter {
 public:
  explicit Waiter(std::stop_token stop) : stop_(std::move(stop)) {}

  // False if asked to stop before or meanwhile.
  bool wait(std::chrono::milliseconds duration) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop_, duration, [] { return false; });
    return !stop_.stop_requested();
  }

  void wait_for_stop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, stop_, [] { return false; });
  }

 private:
  const std::stop_token stop_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
};

// Asks until the engine is there. An engine that can never work is an error.
Result<void> wait_for_engine(http::Client& client, http::Health& health, Waiter& waiter) {
  Backoff backoff({.first = std::chrono::milliseconds(100), .longest = std::chrono::seconds(5)},
                  std::random_device()());
  while (true) {
    const auto dialect = elastic::detect(client);
    if (dialect) {
      log::info("search engine: {}", dialect->name());
      health.ready(kEngineHealth);
      return {};
    }
    if (dialect.error().code == ErrorCode::kUnsupported) return std::unexpected(dialect.error());
    health.not_ready(kEngineHealth, dialect.error().message);
    if (!waiter.wait(backoff.next())) return {};
  }
}

// All that is served: one index, or the tables of a database by their names.
class Served {
 public:
  static Result<Served> create(const std::variant<model::PipelineConfig, model::DatabaseConfig>& of,
                               const IndexService::Parts& parts) {
    Served served;
    if (const auto* one = std::get_if<model::PipelineConfig>(&of)) {
      served.spec_ = one->index.spec;
      ASSIGN_OR_RETURN(auto service, IndexService::create(*one, "", parts));
      served.services_.push_back(std::move(service));
      return served;
    }
    const auto& database = std::get<model::DatabaseConfig>(of);
    served.spec_ = database.index.spec;
    served.tables_.emplace(database.index.metadata.name);
    for (const model::ServedTable& table : database.tables) {
      auto service = IndexService::create(table.pipeline, table.name, parts);
      if (!service) return fail(service.error(), "table " + table.name);
      served.services_.push_back(std::move(*service));
    }
    return served;
  }

  void add_routes(http::Server& server) {
    for (const auto& service : services_) {
      if (tables_) {
        service->add_routes(tables_->of(service->name()));
      } else {
        service->add_routes(server);
      }
    }
    if (tables_) tables_->add_to(server);
  }

  void stop(std::chrono::milliseconds grace) {
    for (const auto& service : services_) service->stop(grace);
  }

  const std::string& name() const { return spec_.index_name; }

 private:
  model::SearchIndexSpec spec_;
  std::vector<std::unique_ptr<IndexService>> services_;
  std::optional<TableRoutes> tables_;
};

const model::SearchIndexSpec& spec_of(
    const std::variant<model::PipelineConfig, model::DatabaseConfig>& config) {
  return std::visit([](const auto& one) -> const model::SearchIndexSpec& { return one.index.spec; },
                    config);
}

}  // namespace

Result<void> run_query(const QueryOptions& options, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::string text, model::read_config_file(options.config));
  ASSIGN_OR_RETURN(const auto config, model::parse_query_config(text));
  const model::FolderSecrets secrets(options.secrets.empty() ? std::nullopt
                                                             : std::optional(options.secrets));
  ASSIGN_OR_RETURN(const auto client, connect(spec_of(config).elasticsearch, secrets));
  metrics::Registry registry;
  http::Health health;
  health.not_ready(kEngineHealth, "not asked yet");
  Engine engine(*client, registry);
  ASSIGN_OR_RETURN(Served served, Served::create(config, {secrets, engine, registry}));
  http::Server server(
      {.listen = options.listen, .threads = kServerThreads, .body_bytes_max = kBodyBytesMax});
  served.add_routes(server);
  http::add_operations_routes(server, registry, health);
  RETURN_IF_ERROR(server.start());
  if (!options.address_file.empty()) {
    RETURN_IF_ERROR(http::write_address_file(options.address_file.string(), server.address()));
  }
  log::info("index {}: queries at http://{}", served.name(), server.address());

  Waiter waiter(stop);
  RETURN_IF_ERROR(wait_for_engine(*client, health, waiter));
  waiter.wait_for_stop();
  served.stop(kExportGrace);
  server.stop();
  return {};
}

}  // namespace searchsync::query
