#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"
#include "query/run/command_paths.h"
#include "query/run/command_pool.h"
#include "query/run/door.h"
#include "query/run/engine.h"
#include "query/run/exporter.h"
#include "query/run/kafka_freshness.h"
#include "query/run/kafka_own_writes.h"
#include "query/run/screener_paths.h"
#include "query/run/service.h"
#include "query/screeners.h"

namespace searchsync::query {

// All paths of one index. Thread-safe.
class IndexService {
 public:
  // What the indices of one process share. All must outlive them.
  struct Parts {
    const model::FolderSecrets& secrets;
    Engine& engine;
    metrics::Registry& registry;
  };

  // name: {index} in paths; empty: its alias. Errors: what its mappings, keys or connections are
  // not right for.
  static Result<std::unique_ptr<IndexService>> create(const model::PipelineConfig& config,
                                                      const std::string& name, const Parts& parts);

  const std::string& name() const { return door_.name(); }

  // This must outlive the server that the routes are added to.
  void add_routes(http::Routes& routes);

  // How long exports may go on.
  void stop(std::chrono::milliseconds grace) { exporter_.stop(grace); }

 private:
  IndexService(const model::PipelineConfig& config, Door::Options door, kafka::ClientConfig kafka,
               const Parts& parts);

  const std::vector<Screener> screeners_;
  KafkaOwnWrites own_writes_;
  Door door_;
  KafkaFreshness freshness_;
  Service service_;
  Exporter exporter_;
  ScreenerPaths screener_paths_;
  std::optional<CommandPool> pool_;
  std::optional<CommandPaths> commands_;
};

}  // namespace searchsync::query
