#include "query/query_main.h"

#include <fmt/format.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <random>
#include <sstream>

#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "lib/elastic/admin.h"
#include "lib/elastic/connect.h"
#include "lib/http/client.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"
#include "query/service.h"
#include "query/tiebreak.h"

namespace searchsync::query {
namespace {

// Connections served at once: each holds a thread, most of which wait for the search engine.
constexpr size_t kServerThreads = 64;
constexpr std::string_view kEngineHealth = "search engine";

Result<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file || !text) {
    return fail(ErrorCode::kNotFound, fmt::format("{}: cannot be read", path.string()));
  }
  return text.str();
}

Result<std::unique_ptr<http::Client>> connect(const model::ElasticsearchSpec& spec,
                                              const model::SecretStore& secrets) {
  ASSIGN_OR_RETURN(const auto credentials, model::elasticsearch_credentials(secrets, spec));
  ASSIGN_OR_RETURN(auto options, elastic::client_options(spec, credentials));
  options.in_flight_max = kServerThreads;
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

}  // namespace

Result<void> run_query(const QueryOptions& options, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::string text, read_file(options.config));
  ASSIGN_OR_RETURN(const model::PipelineConfig config, model::parse_pipeline_config(text));
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
  const model::FolderSecrets secrets(options.secrets.empty() ? std::nullopt
                                                             : std::optional(options.secrets));
  ASSIGN_OR_RETURN(const auto client, connect(spec.elasticsearch, secrets));

  metrics::Registry registry;
  http::Health health;
  health.not_ready(kEngineHealth, "not asked yet");
  Service service(spec.index_name,
                  Rules{.catalog = catalog,
                        .tiebreak = tiebreak,
                        .page_size_max = spec.query.page_size_max,
                        .timeout = spec.query.timeout},
                  *client, registry);
  http::Server server(
      {.listen = options.listen, .threads = kServerThreads, .body_bytes_max = kBodyBytesMax});
  service.add_routes(server);
  http::add_operations_routes(server, registry, health);
  RETURN_IF_ERROR(server.start());
  if (!options.address_file.empty()) {
    RETURN_IF_ERROR(http::write_address_file(options.address_file.string(), server.address()));
  }
  log::info("index {}: queries at http://{}", spec.index_name, server.address());

  Waiter waiter(stop);
  RETURN_IF_ERROR(wait_for_engine(*client, health, waiter));
  waiter.wait_for_stop();
  server.stop();
  return {};
}

}  // namespace searchsync::query
