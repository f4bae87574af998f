#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "lib/model/resources.h"
#include "operator/cluster/secret_cache.h"
#include "operator/control/catalog_watch.h"
#include "operator/plan/catalog.h"
#include "operator/plan/observed.h"

namespace searchsync::cluster {

// What the databases of those indices that have `tables` say of their own tables. Each is read on a
// thread of its own, so that nobody waits for any. Thread-safe.
class Catalogs {
 public:
  // news: of such an index there is something else to know. Called on any thread; it may only
  // enqueue. `secrets` must outlive this.
  Catalogs(SecretCache& secrets, std::function<void(const plan::ObjectKey& index)> news)
      : secrets_(secrets), news_(std::move(news)) {}
  ~Catalogs();
  Catalogs(const Catalogs&) = delete;
  Catalogs& operator=(const Catalogs&) = delete;

  struct Seen {
    std::optional<plan::Catalog> catalog;  // as it could be read last; none: not yet
    std::optional<std::string> fault;      // why it could not be read when it was asked last
  };
  // Of the database that the secret, of the index's namespace, leads to. From now on it is asked.
  Seen find(const plan::ObjectKey& index, const model::SecretRef& secret);

  // The index is no more, or has no tables.
  void forget(const plan::ObjectKey& index);
  void forget_all();

 private:
  // Of a namespace.
  struct Watched {
    Watched(SecretCache& cache, const std::string& namespace_,
            std::function<void(const std::string& database)> changed)
        : secrets(cache, namespace_), watch(secrets, {.changed = std::move(changed)}) {}

    NamespaceSecrets secrets;
    control::CatalogWatch watch;  // last: it uses what is above
  };
  struct Index {
    std::string secret;
    std::optional<plan::Catalog> catalog;  // that could be read last
  };

  // With the mutex held.
  Watched& watched(const std::string& namespace_);
  void keep_needed(const std::string& namespace_);
  void changed(const std::string& database);

  SecretCache& secrets_;
  const std::function<void(const plan::ObjectKey& index)> news_;
  std::mutex mutex_;
  std::map<plan::ObjectKey, Index> indices_;                 // guarded by mutex_
  std::map<std::string, std::unique_ptr<Watched>> watched_;  // guarded by mutex_
};

}  // namespace searchsync::cluster
