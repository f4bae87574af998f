#pragma once

// Everything but bulk writes: what the operator, the query service and tests ask of a search
// engine.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/elastic/dialect.h"

namespace searchsync::http {
class Client;
struct ClientResponse;
}  // namespace searchsync::http

namespace searchsync::elastic {

// What index_body wrote about itself into mappings._meta.searchsync.
struct IndexMeta {
  Generation generation;
  std::string document_log;
  std::string index;  // "<namespace>/<name>" of the SearchIndex
  friend bool operator==(const IndexMeta&, const IndexMeta&) = default;
};

// One concrete index as the engine has it.
struct IndexState {
  IndexName name;
  std::string uuid;
  std::optional<IndexMeta> meta;     // nothing: not an index of ours
  std::vector<std::string> aliases;  // sorted, without the write alias
  std::string mappings;              // JSON object
  std::string settings;              // JSON object, flat: {"index.number_of_shards":"1", …}
};

enum class HealthStatus { kGreen, kYellow, kRed };

struct ClusterHealth {
  HealthStatus status = HealthStatus::kRed;
  std::string cluster_name;
  int32_t data_nodes = 0;
  int32_t unassigned_shards = 0;
};

// Calls wait for the engine's answer. Thread-safe as far as `client` is. Each is safe to repeat.
//
// Errors of all: those of http::Client; kPermission for 401 and 403; kUnavailable for 429, 502,
// 503; kTimeout for 408 and 504; kNotFound for a missing index; kInvalidArgument, with the engine's
// reason, for any other 4xx; kInternal for 500; kMalformed for an answer that cannot be read.
class Admin {
 public:
  // `client` must outlive this. dialect: of detect().
  Admin(http::Client& client, Dialect dialect) : client_(client), dialect_(dialect) {}

  const Dialect& dialect() const { return dialect_; }

  // body: of index_body. kConflict if an index or alias of this name exists.
  Result<void> create_index(const IndexName& name, std::string_view body);

  // name: of an index, or of an alias that leads to exactly one.
  Result<IndexState> get_index(std::string_view name);

  // A missing index is success: that is what was asked for. Wildcards are refused.
  Result<void> delete_index(const IndexName& name);

  // Indices whose names match `pattern` ("test-runs-*"), by name. Includes those that are not ours.
  Result<std::vector<IndexState>> list_indices(std::string_view pattern);

  // The indices that `alias` leads to, by name; none if there is no such alias. kConflict if the
  // name is that of an index.
  Result<std::vector<IndexName>> alias_targets(std::string_view alias);

  // Moves `alias` from `from` (nothing: it does not exist yet) to `to`, in one call that readers
  // see whole or not at all. Already there: success, nothing is done. kConflict if the alias is
  // anywhere else than said; that is looked up first, the engines have no such condition of their
  // own for indices that are not named, so two callers at once must exclude each other by other
  // means.
  Result<void> swap_alias(std::string_view alias, const std::optional<IndexName>& from,
                          const IndexName& to);

  // settings: JSON object of dynamic settings, {"index.number_of_replicas": 2}.
  Result<void> update_settings(const IndexName& name, std::string_view settings);

  // Adds fields in place. mappings: JSON object; kInvalidArgument if it changes what is there.
  Result<void> update_mappings(const IndexName& name, std::string_view mappings);

  // Documents that searches see. name: index or alias.
  Result<int64_t> count(std::string_view name);

  // Makes all acknowledged writes visible to searches.
  Result<void> refresh(std::string_view name);

  Result<ClusterHealth> cluster_health();

  // body: of the _search API. The answer is the engine's, whole. Never partial: a failed shard is
  // an error (kUnavailable).
  Result<std::string> search(std::string_view name, std::string_view body,
                             std::chrono::milliseconds timeout);

  // A view of the index that does not change, for keep_alive from its last use. Returns its id,
  // which is then used in place of a name: body {"pit": {"id": …, "keep_alive": "1m"}, …}.
  Result<std::string> open_point_in_time(std::string_view name, std::chrono::seconds keep_alive);
  Result<std::string> search_point_in_time(std::string_view body,
                                           std::chrono::milliseconds timeout);
  Result<void> close_point_in_time(std::string_view id);

 private:
  Result<http::ClientResponse> call(std::string_view method, std::string path,
                                    std::string_view body,
                                    std::chrono::milliseconds timeout = kTimeout);
  Result<std::string> search_at(const std::string& path, std::string_view body,
                                std::chrono::milliseconds timeout);
  static constexpr std::chrono::milliseconds kTimeout{30'000};

  http::Client& client_;
  const Dialect dialect_;
};

// Asks the engine who it is. kUnsupported, with the remedy, if it is neither Elasticsearch nor
// OpenSearch, or too old.
Result<Dialect> detect(http::Client& client);

}  // namespace searchsync::elastic
