#include "operator/cluster/watches.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>

#include "lib/base/log.h"
#include "operator/cluster/names.h"

namespace searchsync::cluster {
namespace {

constexpr std::chrono::milliseconds kLookEvery{20};
constexpr std::chrono::seconds kComplainEvery{10};

}  // namespace

Watches::~Watches() {
  for (const auto& [namespace_, watched] : running_) {
    for (const auto id : watched.ids) reflectors_.stop(id);
  }
}

void Watches::watch(const std::set<std::string>& namespaces) {
  std::map<std::string, Watched> leaving;
  std::set<std::string> coming = namespaces;
  {
    const std::lock_guard lock(mutex_);
    for (auto one = running_.begin(); one != running_.end();) {
      coming.erase(one->first);
      const auto next = std::next(one);
      if (!namespaces.contains(one->first)) leaving.insert(running_.extract(one));
      one = next;
    }
  }
  for (const auto& [namespace_, watched] : leaving) {
    for (const auto id : watched.ids) reflectors_.stop(id);
    store_.forget_namespace(namespace_);
  }
  for (const auto& namespace_ : coming) {
    store_.expect_namespace(namespace_);
    Watched watched{.ids = start(namespace_)};
    const std::lock_guard lock(mutex_);
    running_[namespace_] = std::move(watched);
  }
}

std::vector<kube::ReflectorId> Watches::start(const std::string& namespace_) {
  std::vector<kube::ReflectorId> ids;
  for (const auto* type : {&search_index_type(), &source_binding_type()}) {
    ids.push_back(reflectors_.start({.type = *type, .namespace_ = namespace_}, store_.sink(*type)));
  }
  const auto follow = [&](const kube::ResourceType& type, kube::Content content) {
    ids.push_back(
        reflectors_.start({.type = type,
                           .namespace_ = namespace_,
                           .label_selector = fmt::format("{}={}", kManagedByLabel, kManagedBy),
                           .content = content},
                          store_.sink(type)));
  };
  follow(pod_type(), kube::Content::kFull);
  for (const auto& type : made_types()) {
    const bool whole = type == deployment_type() || type == stateful_set_type();
    follow(type, whole ? kube::Content::kFull : kube::Content::kMetadata);
  }
  return ids;
}

bool Watches::is_listed(Watched& watched) {
  watched.listed = watched.listed || std::ranges::all_of(watched.ids, [this](const auto id) {
                     return reflectors_.status(id).synced;
                   });
  return watched.listed;
}

std::string Watches::problem_of(const Watched& watched) const {
  for (const auto id : watched.ids) {
    const auto status = reflectors_.status(id);
    if (!status.synced && !status.problem.empty()) return status.problem;
  }
  return "";
}

Watches::State Watches::state(const std::string& namespace_) {
  const std::lock_guard lock(mutex_);
  auto watched = running_.find(kAllNamespaces);
  if (watched == running_.end()) watched = running_.find(namespace_);
  if (watched == running_.end()) return State::kNone;
  return is_listed(watched->second) ? State::kListed : State::kListing;
}

bool Watches::wait_listed(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  auto complained = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    std::string problem;
    bool settled = true;
    bool any = false;
    {
      const std::lock_guard guard(mutex_);
      any = running_.empty();
      for (auto& [namespace_, watched] : running_) {
        if (is_listed(watched)) {
          any = true;
          continue;
        }
        const auto why = problem_of(watched);
        settled = settled && !why.empty();
        if (!why.empty()) problem = why;
      }
    }
    if (settled && any) return true;
    const auto now = std::chrono::steady_clock::now();
    if (!problem.empty() && now - complained > kComplainEvery) {
      log::warning("not everything is listed yet: {}", problem);
      complained = now;
    }
    stopped.wait_for(lock, stop, kLookEvery, [] { return false; });
  }
  return false;
}

}  // namespace searchsync::cluster
