#include "ingest/run/service.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "lib/base/check.h"
#include "lib/base/log.h"

namespace searchsync::ingest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kTokensEntry = "tokens";

http::Response retry_later(http::Response response) {
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

http::Response unauthorized() {
  auto response = http::error_response(
      401, "unauthorized", "send `Authorization: Bearer <token>` with a token that is valid here");
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

http::Response problem_response(const BodyProblem& problem) {
  switch (problem.fault) {
    case BodyFault::kMalformed:
      return http::error_response(400, "malformed", problem.message);
    case BodyFault::kTooManyEvents:
      return http::error_response(413, "too_many_events", problem.message);
  }
  CHECK(false);
}

http::Response failure_response(const Error& error, const Batch& batch,
                                std::span<const Receipt> receipts) {
  log::warning("events that Kafka has not acknowledged: {}", error.message);
  if (!error.retryable()) {
    return {.status = 500,
            .body = render_unacknowledged("refused_by_kafka",
                                          "Kafka does not take the events without a receipt, nor "
                                          "will it later: " +
                                              error.message,
                                          batch, receipts),
            .headers = {}};
  }
  return retry_later({.status = 503,
                      .body = render_unacknowledged(
                          "not_acknowledged",
                          "Kafka has not acknowledged all events in time: send again those without "
                          "a receipt, with the same ids",
                          batch, receipts),
                      .headers = {}});
}

std::mt19937_64 seeded() {
  std::random_device device;
  std::seed_seq seeds{device(), device(), device(), device(), device(), device()};
  return std::mt19937_64(seeds);
}

std::vector<double> buckets() {
  return {0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30};
}

}  // namespace

Result<std::unique_ptr<Service>> Service::create(const model::IngestConfig& config,
                                                 const model::SecretStore& secrets,
                                                 LogWriter& writer, metrics::Registry& registry) {
  std::unique_ptr<Service> service(new Service(writer, registry));
  for (const auto& binding : config.bindings) {
    std::optional<Tokens> tokens;
    if (const auto& reference = binding.source.tokens_secret_ref) {
      ASSIGN_OR_RETURN(const auto text, secrets.get(reference->name, kTokensEntry));
      auto parsed = Tokens::parse(text);
      if (!parsed) {
        return fail(
            ErrorCode::kInvalidArgument,
            fmt::format("secret {}, entry {}: {}", reference->name, kTokensEntry, parsed.error()));
      }
      tokens = std::move(*parsed);
    }
    service->add(binding, std::move(tokens));
  }
  return service;
}

Service::Service(LogWriter& writer, metrics::Registry& registry)
    : writer_(writer),
      registry_(registry),
      readers_(2 * std::max<size_t>(1, std::thread::hardware_concurrency())) {}

void Service::add(const model::IngestedBinding& of, std::optional<Tokens> tokens) {
  const auto events = [&](const char* result) {
    return registry_.counter("searchsync_ingest_events_total", "Events that were sent, by result",
                             {{"binding", of.name}, {"result", result}});
  };
  bindings_.push_back(std::unique_ptr<const Binding>(
      new Binding{.schema = EventSchema(of),
                  .paths = of.source.paths,
                  .tokens = std::move(tokens),
                  .accepted = events("accepted"),
                  .rejected = events("rejected"),
                  .failed = events("failed"),
                  .seconds = registry_.histogram("searchsync_ingest_duration_seconds",
                                                 "Time that requests took, Kafka included",
                                                 buckets(), {{"binding", of.name}})}));
}

void Service::add_routes(http::Server& server) {
  for (const auto& binding : bindings_) {
    for (const auto& path : binding->paths) {
      server.route(http::Method::kPost, path, handler(*binding));
      server.route(http::Method::kPut, path, handler(*binding));
    }
  }
}

http::Handler Service::handler(const Binding& binding) {
  return [this, &binding](const http::Request& request) {
    const auto start = Clock::now();
    auto response = take(binding, request);
    binding.seconds.observe(std::chrono::duration<double>(Clock::now() - start).count());
    registry_
        .counter("searchsync_ingest_requests_total", "Requests answered, by status",
                 {{"binding", binding.schema.binding}, {"status", std::to_string(response.status)}})
        .add();
    return response;
  };
}

http::Response Service::take(const Binding& binding, const http::Request& request) {
  if (binding.tokens && !binding.tokens->allow(request.header("authorization"))) {
    return unauthorized();
  }
  const auto form = body_form(request.header("content-type"));
  if (!form) {
    return http::error_response(
        415, "unsupported_type",
        "send Content-Type: application/json, or application/x-ndjson for an event a line");
  }
  const auto options = request_options(request.query);
  if (!options) return http::error_response(400, "bad_parameter", options.error());
  const EventSchema& schema = binding.schema;
  if (request.body.size() > static_cast<size_t>(schema.limits.body_bytes_max)) {
    return http::error_response(
        413, "payload_too_large",
        fmt::format("the body is over {} bytes", schema.limits.body_bytes_max));
  }
  std::vector<PathValue> path;
  for (const auto& [name, value] : request.path_parameters) path.push_back({name, value});
  thread_local std::mt19937_64 random = seeded();
  auto events = readers_.read(
      schema,
      {.body = request.body,
       .form = *form,
       .on_error = options->on_error,
       .path = path,
       .now = std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()),
       .seed = random(),
       .other_seed = random()});
  if (!events) return problem_response(events.error());
  return append(binding, *options, std::move(*events));
}

http::Response Service::append(const Binding& binding, const RequestOptions& options,
                               Events events) {
  const Batch& batch = events.batch;
  const bool nothing = options.on_error == OnError::kReject || batch.records.empty();
  binding.rejected.add(static_cast<double>(events.faults.places().size()));
  if (!events.faults.empty() && nothing) {
    return {.status = 400, .body = render_faults(events.faults), .headers = {}};
  }
  const auto written = writer_.write(binding.schema.topic, batch);
  const auto count = static_cast<double>(batch.records.size());
  switch (written.outcome) {
    case LogWriter::Outcome::kAcknowledged:
      binding.accepted.add(count);
      return {.status = 202,
              .body = render_accepted(batch, written.receipts, events.faults, options.receipts),
              .headers = {}};
    case LogWriter::Outcome::kFull:
      return retry_later(http::error_response(
          429, "too_much_waits",
          "too many events wait for Kafka: nothing was taken, send them again later"));
    case LogWriter::Outcome::kBehind:
      return retry_later(http::error_response(
          503, "kafka_behind",
          "Kafka does not acknowledge events now: nothing was taken, send them again later"));
    case LogWriter::Outcome::kFailed:
      break;
  }
  binding.failed.add(count);
  return failure_response(*written.error, batch, written.receipts);
}

}  // namespace searchsync::ingest
