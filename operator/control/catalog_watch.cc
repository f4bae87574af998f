#include "operator/control/catalog_watch.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "lib/postgres/connection.h"
#include "operator/control/catalog_reader.h"

namespace searchsync::control {
namespace {

constexpr std::chrono::seconds kTimeout{5};

Result<postgres::Connection> connect(const std::string& conninfo) {
  return postgres::Connection::connect(conninfo, {.application_name = "searchsync-operator",
                                                  .settings = {{"statement_timeout", "15s"}},
                                                  .timeout = kTimeout});
}

}  // namespace

CatalogWatch::~CatalogWatch() {
  keep({});
  // Their threads are joined without the lock, which they may be waiting for.
  std::vector<std::unique_ptr<Database>> leaving;
  {
    const std::lock_guard lock(mutex_);
    leaving = std::move(leaving_);
  }
}

std::optional<Result<plan::Catalog>> CatalogWatch::latest(const std::string& name_space,
                                                          const model::SecretRef& secret) {
  const auto name = fmt::format("{}/{}", name_space, secret.name);
  const std::lock_guard lock(mutex_);
  auto& place = databases_[name];
  if (place == nullptr) {
    place = std::make_unique<Database>();
    place->capture.name = secret.name;
    place->capture.namespace_ = name_space;
    place->capture.database = secret;
    place->thread = std::jthread([this, name, database = place.get()](const std::stop_token& stop) {
      run(name, *database, stop);
    });
  }
  return place->latest;
}

void CatalogWatch::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] {
    return std::ranges::all_of(databases_,
                               [](const auto& one) { return one.second->latest.has_value(); });
  });
}

void CatalogWatch::keep(const std::set<std::string>& databases) {
  const std::lock_guard lock(mutex_);
  // Threads that have ended do not want the lock any more.
  std::erase_if(leaving_, [](const auto& one) { return one->ended; });
  for (auto& [name, database] : databases_) {
    if (databases.contains(name)) continue;
    database->thread.request_stop();
    leaving_.push_back(std::move(database));
  }
  std::erase_if(databases_, [](const auto& one) { return one.second == nullptr; });
}

void CatalogWatch::run(const std::string& name, Database& database, const std::stop_token& stop) {
  const std::string publication = model::slot_name(database.capture);
  std::optional<postgres::Connection> connection;
  std::string connected;  // to what the secret said
  while (!stop.stop_requested()) {
    auto read = [&]() -> Result<plan::Catalog> {
      ASSIGN_OR_RETURN(auto conninfo,
                       model::postgres_conninfo(secrets_, database.capture.database));
      if (!connection || connected != conninfo) {
        ASSIGN_OR_RETURN(auto made, connect(conninfo));
        connection.emplace(std::move(made));
        connected = std::move(conninfo);
      }
      return read_catalog(*connection, publication);
    }();
    if (!read) connection.reset();
    if (note(database, std::move(read)) && options_.changed) options_.changed(name);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, stop, options_.every, [] { return false; });
  }
  const std::lock_guard lock(mutex_);
  database.ended = true;
}

bool CatalogWatch::note(Database& database, Result<plan::Catalog> read) {
  const std::lock_guard lock(mutex_);
  const auto& known = database.latest;
  const bool same = known && known->has_value() == read.has_value() &&
                    (read ? **known == *read : known->error().message == read.error().message);
  database.latest = std::move(read);
  changed_.notify_all();
  return !same;
}

}  // namespace searchsync::control
