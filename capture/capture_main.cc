#include "capture/capture_main.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <utility>

#include "capture/run/session.h"
#include "capture/run/state_topic.h"
#include "lib/base/backoff.h"
#include "lib/base/log.h"
#include "lib/http/health.h"
#include "lib/http/server.h"
#include "lib/kafka/connect.h"
#include "lib/model/config_file.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"
#include "lib/positions/position.h"

namespace searchsync::capture {
namespace {

constexpr std::string_view kVersion = "0.1.0";

Result<model::CaptureConfig> read_config(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string json, model::read_config_file(path));
  auto config = model::parse_capture_config(json);
  if (!config) return fail(config.error(), path);
  return config;
}

// Secrets are read for each session anew, so that rotated ones are taken.
Result<SessionOptions> session_options(const model::CaptureConfig& config,
                                       const model::SecretStore& secrets) {
  SessionOptions options;
  options.version = kVersion;
  options.wanted.name = config.name;
  options.wanted.slot = model::slot_name(config);
  options.wanted.publication = options.wanted.slot;
  for (const model::CapturedTable& table : config.tables) {
    const size_t dot = table.table.find('.');
    if (dot == std::string::npos) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("table {} has no schema; write public.{}", table.table, table.table));
    }
    options.wanted.tables.push_back(
        {table.table.substr(0, dot), table.table.substr(dot + 1), table.topic});
  }
  options.state_topic = state_topic_name(config.namespace_, config.name);
  options.positions_topic = positions::positions_topic(config.namespace_, config.name);
  options.replication_factor = config.kafka.replication_factor;
  ASSIGN_OR_RETURN(options.conninfo, model::postgres_conninfo(secrets, config.database));
  ASSIGN_OR_RETURN(options.kafka, kafka::client_config(config.kafka, secrets,
                                                       "searchsync-capture-" + config.name));
  return options;
}

void wait_for(std::chrono::milliseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
}

// Sessions, one after another, until `stop` or until the first one finds what it cannot mend.
Result<void> run_sessions(const model::CaptureConfig& config, const model::SecretStore& secrets,
                          CaptureMetrics& metrics, http::Health& health,
                          const std::stop_token& stop) {
  Backoff backoff(
      {.first = std::chrono::milliseconds(200), .longest = std::chrono::milliseconds(15'000)},
      std::random_device{}());
  bool ever_started = false;
  std::string last_reason;
  while (!stop.stop_requested()) {
    const auto started = [&] {
      if (!last_reason.empty()) log::info("captures again");
      ever_started = true;
      last_reason.clear();
      backoff.reset();
    };
    auto options = session_options(config, secrets);
    const Result<void> ended = options ? run_session(*options, metrics, health, started, stop)
                                       : Result<void>(std::unexpected(options.error()));
    if (stop.stop_requested()) {
      return ended || ended.error().code == ErrorCode::kCancelled ? Result<void>{} : ended;
    }
    const Error& error = ended.error();
    if (!ever_started && !error.retryable()) return ended;
    if (error.message != last_reason) log::warning("waits and tries again: {}", error.message);
    last_reason = error.message;
    health.not_ready("capture", error.message);
    wait_for(backoff.next(), stop);
  }
  return {};
}

}  // namespace

Result<void> run_capture(const CaptureOptions& options, std::stop_token stop) {
  ASSIGN_OR_RETURN(const model::CaptureConfig config, read_config(options.config));
  const model::FolderSecrets secrets(options.secrets.empty()
                                         ? std::nullopt
                                         : std::optional<std::filesystem::path>(options.secrets));
  metrics::Registry registry;
  http::Health health;
  CaptureMetrics metrics(registry);
  health.not_ready("capture", "starting");
  http::Server server({.listen = options.listen});
  http::add_operations_routes(server, registry, health);
  RETURN_IF_ERROR(server.start());
  if (!options.address_file.empty()) {
    RETURN_IF_ERROR(http::write_address_file(options.address_file, server.address()));
  }
  return run_sessions(config, secrets, metrics, health, stop);
}

}  // namespace searchsync::capture
