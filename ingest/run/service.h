#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ingest/core/request_form.h"
#include "ingest/core/schema.h"
#include "ingest/run/log_writer.h"
#include "ingest/run/reader_pool.h"
#include "lib/base/error.h"
#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"

namespace searchsync::ingest {

// POST and PUT on the paths of each binding: an event, an array of them, or NDJSON.
//   ?onError=reject|accept  whether one bad event has all of the request refused; reject
//   ?receipts=all|none      whether the answer says where Kafka keeps each event; all
//
// 202 once all in-sync replicas have the events. Otherwise an error in the server's form: 400
// malformed, invalid_events (with each fault), bad_parameter; 401 unauthorized; 413
// payload_too_large, too_many_events; 415 unsupported_type; 429 too_much_waits, 503 kafka_behind
// (nothing was taken), 503 not_acknowledged (what was taken is said), all three
// with Retry-After; 500 refused_by_kafka.
//
// Thread-safe.
class Service {
 public:
  // References must outlive this. Errors: a secret that is missing, or holds no proper tokens.
  static Result<std::unique_ptr<Service>> create(const model::IngestConfig& config,
                                                 const model::SecretStore& secrets,
                                                 LogWriter& writer, metrics::Registry& registry);

  // This must outlive the server.
  void add_routes(http::Server& server);

 private:
  struct Binding {
    EventSchema schema;
    std::vector<std::string> paths;
    std::optional<Tokens> tokens;  // nothing: everybody may send
    metrics::Counter accepted;
    metrics::Counter rejected;
    metrics::Counter failed;
    metrics::Histogram seconds;
  };

  Service(LogWriter& writer, metrics::Registry& registry);
  void add(const model::IngestedBinding& of, std::optional<Tokens> tokens);
  http::Handler handler(const Binding& binding);
  http::Response take(const Binding& binding, const http::Request& request);
  http::Response append(const Binding& binding, const RequestOptions& options, Events events);

  LogWriter& writer_;
  metrics::Registry& registry_;
  ReaderPool readers_;
  std::vector<std::unique_ptr<const Binding>> bindings_;  // constant after create()
};

}  // namespace searchsync::ingest
