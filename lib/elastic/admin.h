#pragma once

// Everything but bulk writes: what the operator, the query service and tests ask of a search
// engine.

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/named.h"
#include "lib/elastic/dialect.h"
#include "lib/elastic/readers.h"

namespace searchsync::http {
class Client;
struct ClientResponse;
}  // namespace searchsync::http

namespace searchsync::elastic {

// What index_body wrote about itself into mappings._meta.searchsync.
struct IndexMeta {
  Generation generation;
  std::string document_log;
  std::string index;                           // "<namespace>/<name>" of the SearchIndex
  std::optional<IndexName> partition_of = {};  // a generation; nothing: it is no partition
  friend bool operator==(const IndexMeta&, const IndexMeta&) = default;
};

// One concrete index as the engine has it.
struct IndexState {
  IndexName name;
  std::string uuid;
  std::optional<IndexMeta> meta;     // nothing: not an index of ours
  std::vector<std::string> aliases;  // sorted, without the write alias
  // Those of the aliases that do not lead to the whole index: with a filter, or a routing.
  std::set<std::string> narrowed;
  bool has_write_alias = false;  // index_body made it
  bool writable = false;         // the write alias is as index_body made it
  bool closed = false;           // it can be neither read nor written
  std::string mappings;          // JSON object
  std::string settings;          // JSON object, flat: {"index.number_of_shards":"1", …}
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
  static constexpr std::chrono::milliseconds kTimeout{30'000};
  static constexpr size_t kNamesMax = 15;  // of 255 bytes; the engines take a path of 4,096

  // `client` must outlive this. dialect: of detect().
  Admin(http::Client& client, Dialect dialect) : client_(client), dialect_(dialect) {}

  const Dialect& dialect() const { return dialect_; }

  // body: of index_body. kConflict if an index or alias of this name exists.
  Result<void> create_index(const IndexName& name, std::string_view body);

  // name: of an index, or of an alias that leads to exactly one.
  Result<IndexState> get_index(std::string_view name);

  // A missing index is success: that is what was asked for. Wildcards are refused.
  Result<void> delete_index(const IndexName& name);

  // The same for many, a request for every kNamesMax of them.
  Result<void> delete_indices(const std::vector<IndexName>& names);

  // Indices whose names match `pattern` ("test-runs-*"), by name. Includes those that are not ours.
  Result<std::vector<IndexState>> list_indices(std::string_view pattern);

  // The indices that `alias` leads to, by name; none if there is no such alias. kConflict if the
  // name is that of an index.
  Result<std::vector<IndexName>> alias_targets(std::string_view alias,
                                               std::chrono::milliseconds timeout = kTimeout);

  // Moves `alias` from all of `from` (nothing: it does not exist yet) to `to` alone, in one call
  // that readers see whole or not at all. Already there: success, nothing is done; but from `to` to
  // `to` takes a filter or a routing away. kConflict if the alias is anywhere else than said; that
  // is looked up first, the engines have no such condition of their own for indices that are not
  // named, so two callers at once must exclude each other by other means.
  //
  // timeout: for the look, for the engine to begin, and for its nodes to take note: after three
  // times as long nothing happens any more. After a kTimeout the alias may have moved.
  Result<void> swap_alias(std::string_view alias, std::vector<IndexName> from, const IndexName& to,
                          std::chrono::milliseconds timeout = kTimeout);

  // Gives the index the write alias that index_body made: without a routing or filter.
  Result<void> put_write_alias(const IndexName& name);

  // The same for all that a partitioned index is read by: see readers.h. Also adds partitions to
  // the aliases that are not there yet: `from` is `to` then.
  Result<void> move_readers(const ReadersMove& move, std::chrono::milliseconds timeout = kTimeout);

  // settings: JSON object of dynamic settings, {"index.number_of_replicas": 2}.
  Result<void> update_settings(const IndexName& name, std::string_view settings);
  // The same for many, of which some may be gone, a request for every kNamesMax of them.
  Result<void> update_settings(const std::vector<IndexName>& names, std::string_view settings);

  // Adds fields in place. mappings: JSON object; kInvalidArgument if it changes what is there. Its
  // _meta replaces the former one, whole.
  Result<void> update_mappings(const IndexName& name, std::string_view mappings);
  // The same for many, of which some may be gone, a request for every kNamesMax of them: each is
  // done for all of its indices, or for none.
  Result<void> update_mappings(const std::vector<IndexName>& names, std::string_view mappings);

  // Documents that searches see. name: index or alias.
  Result<int64_t> count(std::string_view name);

  // Makes all acknowledged writes visible to searches. name: as of search().
  Result<void> refresh(std::string_view name);

  Result<ClusterHealth> cluster_health();

  // body: of the _search API. The answer is the engine's, whole. Never partial: a failed shard is
  // an error (kUnavailable). name: of an index or alias; with a star behind it, of all that begin
  // so.
  Result<std::string> search(std::string_view name, std::string_view body,
                             std::chrono::milliseconds timeout);

  // A view of the index that does not change, for keep_alive from its last use. Returns its id,
  // which is then used in place of a name: body {"pit": {"id": …, "keep_alive": "1m"}, …}.
  Result<std::string> open_point_in_time(std::string_view name, std::chrono::seconds keep_alive);
  Result<std::string> search_point_in_time(std::string_view body,
                                           std::chrono::milliseconds timeout);
  Result<void> close_point_in_time(std::string_view id);

 private:
  Result<void> update_aliases(std::string_view body, std::string_view alias,
                              std::chrono::milliseconds timeout);
  Result<void> call_many(std::string_view method, const std::vector<IndexName>& names,
                         std::string_view suffix, std::string_view body);
  Result<http::ClientResponse> call(std::string_view method, std::string path,
                                    std::string_view body,
                                    std::chrono::milliseconds timeout = kTimeout);
  Result<std::string> search_at(const std::string& path, std::string_view body,
                                std::chrono::milliseconds timeout);

  http::Client& client_;
  const Dialect dialect_;
};

// Asks the engine who it is. kUnsupported, with the remedy, if it is neither Elasticsearch nor
// OpenSearch, or too old.
Result<Dialect> detect(http::Client& client);

}  // namespace searchsync::elastic
