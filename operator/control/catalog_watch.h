#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/role_config.h"
#include "lib/model/secrets.h"
#include "operator/plan/catalog.h"

namespace searchsync::control {

struct CatalogWatchOptions {
  std::chrono::milliseconds every{2'000};
  // latest() of the database, "<namespace>/<secret>", is another now. On a thread of the watch; it
  // may only enqueue.
  std::function<void(const std::string& database)> changed;
};

// Reads the catalogs of databases again and again, each on a thread of its own: a database that
// does not answer holds up nobody. Thread-safe.
class CatalogWatch {
 public:
  // secrets must outlive this, and be thread-safe.
  explicit CatalogWatch(const model::SecretStore& secrets, CatalogWatchOptions options = {})
      : secrets_(secrets), options_(std::move(options)) {}
  ~CatalogWatch();

  // The database that a binding's secret names, in its namespace: what was read of it last, or why
  // it could not be; nothing: it has not been asked yet. From now on it is asked.
  std::optional<Result<plan::Catalog>> latest(const std::string& name_space,
                                              const model::SecretRef& secret);

  // Waits until each that has been asked for has an answer, for as long as its timeouts last.
  void settle();

  // Of all but these, "<namespace>/<secret>", nothing is asked any more. Does not wait for a
  // question that is under way.
  void keep(const std::set<std::string>& databases);

 private:
  struct Database {
    model::CaptureConfig capture;                 // of the name of its publication
    std::optional<Result<plan::Catalog>> latest;  // guarded by mutex_
    bool ended = false;                           // its thread; guarded by mutex_
    std::jthread thread;                          // last: it uses what is above
  };
  using Databases = std::map<std::string, std::unique_ptr<Database>>;

  void run(const std::string& name, Database& database, const std::stop_token& stop);
  // Whether that is news.
  bool note(Database& database, Result<plan::Catalog> read);

  const model::SecretStore& secrets_;
  const CatalogWatchOptions options_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  Databases databases_;                             // guarded by mutex_
  std::vector<std::unique_ptr<Database>> leaving_;  // told to stop; guarded by mutex_
};

}  // namespace searchsync::control
