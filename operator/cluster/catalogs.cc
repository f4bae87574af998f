#include "operator/cluster/catalogs.h"

#include <set>
#include <vector>

#include "operator/cluster/names.h"

namespace searchsync::cluster {

Catalogs::~Catalogs() = default;

Catalogs::Watched& Catalogs::watched(const std::string& namespace_) {
  auto& place = watched_[namespace_];
  if (place == nullptr) {
    place = std::make_unique<Watched>(secrets_, namespace_,
                                      [this](const std::string& database) { changed(database); });
  }
  return *place;
}

Catalogs::Seen Catalogs::find(const plan::ObjectKey& index, const model::SecretRef& secret) {
  const auto namespace_ = parse_key(index).namespace_;
  const std::lock_guard lock(mutex_);
  Index& known = indices_[index];
  if (known.secret != secret.name) {
    known = {.secret = secret.name, .catalog = {}};
    keep_needed(namespace_);
  }
  Seen seen;
  auto latest = watched(namespace_).watch.latest(namespace_, secret);
  if (latest && *latest) known.catalog = std::move(**latest);
  if (latest && !*latest) seen.fault = latest->error().message;
  seen.catalog = known.catalog;
  return seen;
}

void Catalogs::forget(const plan::ObjectKey& index) {
  const std::lock_guard lock(mutex_);
  if (indices_.erase(index) > 0) keep_needed(parse_key(index).namespace_);
}

void Catalogs::forget_all() {
  const std::lock_guard lock(mutex_);
  indices_.clear();
  for (auto& [namespace_, watched] : watched_) watched->watch.keep({});
}

void Catalogs::keep_needed(const std::string& namespace_) {
  std::set<std::string> needed;
  for (const auto& [key, index] : indices_) {
    if (parse_key(key).namespace_ == namespace_) needed.insert(namespace_ + "/" + index.secret);
  }
  watched(namespace_).watch.keep(needed);
}

void Catalogs::changed(const std::string& database) {
  const auto [namespace_, secret] = parse_key(database);
  std::vector<plan::ObjectKey> concerned;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, index] : indices_) {
      if (parse_key(key).namespace_ == namespace_ && index.secret == secret) {
        concerned.push_back(key);
      }
    }
  }
  for (const auto& index : concerned) news_(index);
}

}  // namespace searchsync::cluster
