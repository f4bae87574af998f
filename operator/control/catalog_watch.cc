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
  return postgres::Connection::connect(
      conninfo, {.application_name = "searchsync-operator", .settings = {}, .timeout = kTimeout});
}

}  // namespace

CatalogWatch::~CatalogWatch() {
  keep({});
}

std::optional<Result<plan::Catalog>> CatalogWatch::latest(const std::string& name_space,
                                                          const model::SecretRef& secret) {
  const std::lock_guard lock(mutex_);
  auto& place = databases_[fmt::format("{}/{}", name_space, secret.name)];
  if (place == nullptr) {
    place = std::make_unique<Database>();
    place->capture.name = secret.name;
    place->capture.namespace_ = name_space;
    place->capture.database = secret;
    place->thread = std::jthread(
        [this, database = place.get()](const std::stop_token& stop) { run(*database, stop); });
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
  // Their threads are joined without the lock, which they may be waiting for.
  std::vector<std::unique_ptr<Database>> leaving;
  const std::lock_guard outer(keeping_);
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, database] : databases_) {
      if (!databases.contains(name)) leaving.push_back(std::move(database));
    }
    std::erase_if(databases_, [](const auto& one) { return one.second == nullptr; });
  }
  for (auto& database : leaving) database->thread.request_stop();
  leaving.clear();
}

void CatalogWatch::run(Database& database, const std::stop_token& stop) {
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
    std::unique_lock lock(mutex_);
    database.latest = std::move(read);
    changed_.notify_all();
    changed_.wait_for(lock, stop, every_, [] { return false; });
  }
}

}  // namespace searchsync::control
