#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/metrics/registry.h"

namespace searchsync::http {

class Server;

// Why this process is not ready, by who says so. Ready when nobody objects. Changes are logged.
// Thread-safe.
class Health {
 public:
  // `reason` says what is waited for: not_ready("kafka", "no broker reachable at a:9092").
  void not_ready(std::string_view name, std::string_view reason);
  void ready(std::string_view name);

  bool is_ready() const;
  // One line "name: reason" each, by name; empty if ready.
  std::string reasons() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> reasons_;  // guarded by mutex_
};

// GET /metrics (Prometheus text), /healthz (200 "ok" as long as the process answers), /readyz (200
// "ok", or 503 with reasons()). Both references must outlive the server.
void add_operations_routes(Server& server, const metrics::Registry& registry, const Health& health);

// Writes "<address>\n" so that a reader sees nothing or all of it.
Result<void> write_address_file(const std::string& path, std::string_view address);

}  // namespace searchsync::http
