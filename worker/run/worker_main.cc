#include "worker/run/worker_main.h"

#include <fmt/core.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "lib/elastic/connect.h"
#include "lib/elastic/index_body.h"
#include "lib/elastic/mixable.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/kafka/connect.h"
#include "lib/model/config_file.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"
#include "worker/run/fold_loop.h"
#include "worker/run/route_loop.h"

namespace searchsync::worker {
namespace {

void wait_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
}

// Runs loops one after the other until asked to stop: each takes up where the last one's commits
// stand.
template <class MakeLoop>
void keep_running(std::string_view name, const std::stop_token& stop, MakeLoop make_loop) {
  Backoff backoff(
      {.first = std::chrono::milliseconds(200), .longest = std::chrono::milliseconds(15'000)},
      std::random_device()());
  while (!stop.stop_requested()) {
    const auto started = std::chrono::steady_clock::now();
    auto ended = make_loop()->run(stop);
    if (ended) continue;
    if (std::chrono::steady_clock::now() - started > std::chrono::minutes(1)) backoff.reset();
    const auto wait = backoff.next();
    log::warning("{}: {}; starting over in {} ms", name, ended.error().message, wait.count());
    wait_for(wait, stop);
  }
}

// Everything a worker is made of, in the order in which it depends on each other.
class Worker {
 public:
  Worker(model::PipelineConfig config, model::Pipeline pipeline)
      : config_(std::move(config)),
        pipeline_(std::move(pipeline)),
        metrics_(registry_, config_.index.metadata.name, config_.generation_index.get()) {}

  Result<void> run(const WorkerOptions& options, const std::stop_token& stop) {
    const model::FolderSecrets secrets(options.secrets.empty()
                                           ? std::nullopt
                                           : std::optional<std::filesystem::path>(options.secrets));
    const auto& spec = config_.index.spec;
    ASSIGN_OR_RETURN(const auto kafka, kafka::client_config(spec.kafka, secrets));
    ASSIGN_OR_RETURN(const auto credentials,
                     model::elasticsearch_credentials(secrets, spec.elasticsearch));
    ASSIGN_OR_RETURN(auto client_options, elastic::client_options(spec.elasticsearch, credentials));
    client_options.in_flight_max = static_cast<size_t>(spec.workers.bulk.requests_in_flight) + 2;
    ASSIGN_OR_RETURN(const auto engine, http::AsyncClient::create(std::move(client_options)));
    ASSIGN_OR_RETURN(
        const auto states,
        StateDatabase::open(options.state_dir + "/" + config_.generation_index.get(), {}));
    http::Server server({.listen = options.listen});
    http::add_operations_routes(server, registry_, health_);
    RETURN_IF_ERROR(server.start());
    if (!options.address_file.empty()) {
      RETURN_IF_ERROR(http::write_address_file(options.address_file, server.address()));
    }
    log::info("worker of {} on {}: metrics at http://{}/metrics", config_.generation_index.get(),
              config_.document_log, server.address());
    {
      const std::jthread router(
          [&] { keep_running("sources", stop, [&] { return make_route_loop(kafka); }); });
      keep_running("document log", stop, [&] { return make_fold_loop(kafka, *states, *engine); });
    }
    server.stop();
    return {};
  }

 private:
  std::unique_ptr<RouteLoop> make_route_loop(const kafka::ClientConfig& kafka) {
    return std::make_unique<RouteLoop>(
        RouteLoop::Settings{.document_log = config_.document_log,
                            .group = model::route_group(config_.index, config_.bindings),
                            .dead_letter_topic = model::dead_letter_topic(config_.index),
                            .partitions = config_.index.spec.workers.partitions,
                            .session_timeout = config_.index.spec.workers.session_timeout,
                            .kafka = kafka},
        pipeline_, config_.bindings, metrics_, health_);
  }

  std::unique_ptr<FoldLoop> make_fold_loop(const kafka::ClientConfig& kafka, StateDatabase& states,
                                           http::AsyncClient& engine) {
    return std::make_unique<FoldLoop>(
        FoldLoop::Settings{.generation = config_.generation,
                           .index = config_.generation_index,
                           .document_log = config_.document_log,
                           .group = model::fold_group(config_.index, config_.generation_index),
                           .dead_letter_topic = model::dead_letter_topic(config_.index),
                           .partitions = config_.index.spec.workers.partitions,
                           .session_timeout = config_.index.spec.workers.session_timeout,
                           .bulk = config_.index.spec.workers.bulk,
                           .partitioned = partitioned(),
                           .log_retention = config_.log_retention,
                           .kafka = kafka},
        pipeline_, states, engine, metrics_, health_);
  }

  std::optional<PartitionMaker::Options> partitioned() const {
    if (!pipeline_.partitioning) return std::nullopt;
    return PartitionMaker::Options{
        .generation = config_.generation_index,
        .every = pipeline_.partitioning->every,
        .body =
            [this](const IndexName& name) {
              return elastic::partition_body(config_.index, name, config_.generation_index,
                                             config_.generation, config_.document_log);
            },
        .fields = elastic::added_fields(config_.index.spec.mappings.text)};
  }

  const model::PipelineConfig config_;
  const model::Pipeline pipeline_;
  metrics::Registry registry_;
  http::Health health_;
  WorkerMetrics metrics_;
};

}  // namespace

Result<void> run_worker(const WorkerOptions& options, std::stop_token stop) {
  ASSIGN_OR_RETURN(const auto json, model::read_config_file(options.config));
  auto config = model::parse_pipeline_config(json);
  if (!config) return fail(config.error(), options.config);
  ASSIGN_OR_RETURN(auto pipeline, model::compile(config->index, config->bindings));
  return Worker(std::move(*config), std::move(pipeline)).run(options, stop);
}

}  // namespace searchsync::worker
