#include "aggregate/run/aggregate_main.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "aggregate/run/table_loop.h"
#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/kafka/connect.h"
#include "lib/model/config_file.h"
#include "lib/model/pipeline.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"

namespace searchsync::aggregate {
namespace {

using std::chrono::milliseconds;

constexpr size_t kStateMemoryBytes = 64 << 20;  // of RocksDB, all tables together

void wait_for(milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
}

// A table, and one loop of it after the other: each takes up what the last one committed.
class Table {
 public:
  Table(const model::AggregateConfig& config, const model::SourceBinding& binding,
        const AggregateOptions& options, metrics::Registry& registry, http::Health& health)
      : binding_(binding),
        definition_(binding.spec.key, partition_key(binding), *binding.spec.aggregate),
        metrics_(registry, config.name, binding.metadata.name, model::row_topic(binding)),
        health_(health) {
    const auto table = model::row_topic(binding);
    const auto tables = config.bindings.size();
    model::SearchIndex index;
    index.metadata = {config.name, config.namespace_};
    settings_ = {.binding = binding.metadata.name,
                 .events = model::source_topic(binding.spec.source),
                 .table = table,
                 .group = model::aggregate_group(table),
                 .transactional_id = table + "." + options.instance,
                 .dead_letter_topic = model::dead_letter_topic(index),
                 .errors = binding.spec.errors,
                 .memory_bytes = static_cast<size_t>(config.aggregates.memory_bytes) / tables,
                 .session_timeout = config.aggregates.session_timeout};
    folder_ = options.state_dir + "/" + table;
    state_bytes_ = kStateMemoryBytes / tables;
    metrics_.halted.set(0);
  }

  Result<void> open() {
    ASSIGN_OR_RETURN(states_, StateStore::open(folder_, state_bytes_));
    return {};
  }

  void run(const kafka::ClientConfig& kafka, const std::stop_token& stop) {
    settings_.kafka = kafka;
    Backoff backoff({.first = milliseconds(200), .longest = milliseconds(15'000)},
                    std::random_device()());
    while (!stop.stop_requested()) {
      const auto started = std::chrono::steady_clock::now();
      auto ended = TableLoop(settings_, definition_, *states_, metrics_, health_).run(stop);
      if (ended) continue;
      if (std::chrono::steady_clock::now() - started > std::chrono::minutes(1)) backoff.reset();
      const auto wait = backoff.next();
      log::warning("table {}: {}; starting over in {} ms", settings_.table, ended.error().message,
                   wait.count());
      wait_for(wait, stop);
    }
  }

 private:
  // Of events that somebody else writes, the key.
  static std::vector<std::string> partition_key(const model::SourceBinding& binding) {
    const auto* http = std::get_if<model::HttpSource>(&binding.spec.source);
    return http == nullptr ? binding.spec.key : http->partition_key;
  }

  const model::SourceBinding& binding_;
  const Definition definition_;
  TableMetrics metrics_;
  http::Health& health_;
  TableLoop::Settings settings_;
  std::string folder_;
  size_t state_bytes_ = 0;
  std::unique_ptr<StateStore> states_;
};

}  // namespace

Result<void> run_aggregate(const AggregateOptions& options, std::stop_token stop) {
  ASSIGN_OR_RETURN(const auto json, model::read_config_file(options.config));
  auto config = model::parse_aggregate_config(json);
  if (!config) return fail(config.error(), options.config);
  const model::FolderSecrets secrets(options.secrets.empty()
                                         ? std::nullopt
                                         : std::optional<std::filesystem::path>(options.secrets));
  ASSIGN_OR_RETURN(const auto kafka, kafka::client_config(config->kafka, secrets));
  metrics::Registry registry;
  http::Health health;
  std::vector<std::unique_ptr<Table>> tables;
  std::set<std::string> names;
  for (const auto& binding : config->bindings) names.insert(model::row_topic(binding));
  remove_others(options.state_dir, names);
  for (const auto& binding : config->bindings) {
    tables.push_back(std::make_unique<Table>(*config, binding, options, registry, health));
    RETURN_IF_ERROR(tables.back()->open());
  }
  http::Server server({.listen = options.listen});
  http::add_operations_routes(server, registry, health);
  RETURN_IF_ERROR(server.start());
  if (!options.address_file.empty()) {
    RETURN_IF_ERROR(http::write_address_file(options.address_file, server.address()));
  }
  log::info("aggregates of {}: {} tables, metrics at http://{}/metrics", config->name,
            tables.size(), server.address());
  {
    std::vector<std::jthread> threads;
    for (auto& table : tables) {
      threads.emplace_back([&kafka, &stop, raw = table.get()] { raw->run(kafka, stop); });
    }
  }
  server.stop();
  return {};
}

}  // namespace searchsync::aggregate
