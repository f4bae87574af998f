#pragma once

#include <chrono>
#include <condition_variable>
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

// Reads the catalogs of databases again and again, each on a thread of its own: a database that
// does not answer holds up nobody. Thread-safe.
class CatalogWatch {
 public:
  // secrets must outlive this, and be thread-safe.
  explicit CatalogWatch(const model::SecretStore& secrets,
                        std::chrono::milliseconds every = std::chrono::milliseconds(2'000))
      : secrets_(secrets), every_(every) {}
  ~CatalogWatch();

  // The database that a binding's secret names, in its namespace: what was read of it last, or why
  // it could not be; nothing: it has not been asked yet. From now on it is asked.
  std::optional<Result<plan::Catalog>> latest(const std::string& name_space,
                                              const model::SecretRef& secret);

  // Waits until each that has been asked for has an answer, for as long as its timeouts last.
  void settle();

  // Of all but these, "<namespace>/<secret>", nothing is asked any more.
  void keep(const std::set<std::string>& databases);

 private:
  struct Database {
    model::CaptureConfig capture;                 // of the name of its publication
    std::optional<Result<plan::Catalog>> latest;  // guarded by mutex_
    std::jthread thread;                          // last: it uses what is above
  };

  void run(Database& database, const std::stop_token& stop);

  const model::SecretStore& secrets_;
  const std::chrono::milliseconds every_;
  std::mutex keeping_;  // held by keep()
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, std::unique_ptr<Database>> databases_;  // guarded by mutex_
};

}  // namespace searchsync::control
