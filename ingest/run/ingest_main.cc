#include "ingest/run/ingest_main.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

#include "ingest/run/log_writer.h"
#include "ingest/run/service.h"
#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/kafka/admin.h"
#include "lib/kafka/connect.h"
#include "lib/metrics/registry.h"
#include "lib/model/config_file.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"

namespace searchsync::ingest {
namespace {

constexpr std::string_view kKafkaHealth = "kafka";

// False if asked to stop before or meanwhile.
bool wait_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

void wait_for_stop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, stop, [] { return false; });
}

Result<void> check_topics(kafka::Admin& admin, const model::IngestConfig& config) {
  for (const auto& binding : config.bindings) {
    const std::string& topic = binding.source.topic.name;
    ASSIGN_OR_RETURN(const auto partitions, admin.partition_count(topic));
    if (!partitions) return fail(ErrorCode::kNotFound, fmt::format("topic {} is not there", topic));
  }
  return {};
}

// Until Kafka answers and has the topics.
Result<void> wait_for_kafka(const kafka::ClientConfig& kafka, const model::IngestConfig& config,
                            http::Health& health, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const auto admin, kafka::Admin::create(kafka, {}));
  Backoff backoff({.first = std::chrono::milliseconds(100), .longest = std::chrono::seconds(5)},
                  std::random_device()());
  for (;;) {
    const auto checked = check_topics(*admin, config);
    if (checked) {
      health.ready(kKafkaHealth);
      return {};
    }
    health.not_ready(kKafkaHealth, checked.error().message);
    if (!wait_for(backoff.next(), stop)) return {};
  }
}

Result<http::Server::Options> server_options(const IngestOptions& options,
                                             const model::IngestConfig& config,
                                             const model::SecretStore& secrets) {
  const auto connections = static_cast<size_t>(config.ingest.connections);
  http::Server::Options made{.listen = options.serve,
                             .threads = connections,
                             .waiting_max = connections,
                             .body_bytes_max = 0};
  for (const auto& binding : config.bindings) {
    made.body_bytes_max =
        std::max(made.body_bytes_max, static_cast<size_t>(binding.source.limits.body_bytes_max));
  }
  if (const auto& tls = config.ingest.tls_secret_ref) {
    made.tls.emplace();
    ASSIGN_OR_RETURN(made.tls->certificate, secrets.get(tls->name, "tls.crt"));
    ASSIGN_OR_RETURN(made.tls->key, secrets.get(tls->name, "tls.key"));
  }
  return made;
}

}  // namespace

Result<void> run_ingest(const IngestOptions& options, std::stop_token stop) {
  ASSIGN_OR_RETURN(const std::string text, model::read_config_file(options.config));
  const auto config = model::parse_ingest_config(text);
  if (!config) return fail(config.error(), options.config.string());
  const model::FolderSecrets secrets(options.secrets.empty() ? std::nullopt
                                                             : std::optional(options.secrets));
  ASSIGN_OR_RETURN(const auto kafka,
                   kafka::client_config(config->kafka, secrets, "searchsync-ingest"));
  ASSIGN_OR_RETURN(auto public_options, server_options(options, *config, secrets));

  metrics::Registry registry;
  http::Health health;
  health.not_ready(kKafkaHealth, "not asked yet");
  ASSIGN_OR_RETURN(
      const auto writer,
      LogWriter::create(kafka, {.deadline = config->ingest.deadline}, registry, health));
  ASSIGN_OR_RETURN(const auto service, Service::create(*config, secrets, *writer, registry));
  const char* const scheme = public_options.tls ? "https" : "http";
  http::Server operations({.listen = options.listen});
  http::add_operations_routes(operations, registry, health);
  http::Server server(std::move(public_options));
  service->add_routes(server);
  RETURN_IF_ERROR(operations.start());
  RETURN_IF_ERROR(server.start());
  if (!options.address_file.empty()) {
    RETURN_IF_ERROR(
        http::write_address_file(options.address_file.string(),
                                 fmt::format("{}\n{}", operations.address(), server.address())));
  }
  log::info("index {}: events at {}://{}, metrics at http://{}/metrics", config->name, scheme,
            server.address(), operations.address());

  RETURN_IF_ERROR(wait_for_kafka(kafka, *config, health, stop));
  wait_for_stop(stop);
  health.not_ready("ingest", "it is stopping");
  server.stop();
  operations.stop();
  return {};
}

}  // namespace searchsync::ingest
