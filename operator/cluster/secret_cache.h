#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/kube/client.h"
#include "lib/model/secrets.h"

namespace searchsync::cluster {

// Secrets of the cluster, each asked for by its name and kept for a short while; none is listed or
// watched. Thread-safe.
class SecretCache {
 public:
  // `client` must outlive this.
  explicit SecretCache(kube::Client& client) : client_(client) {}

  // Errors: kNotFound, kPermission, and those of reaching the API server.
  Result<std::string> get(const std::string& namespace_, const std::string& secret,
                          const std::string& key);

  // Another one when any entry is another; "" if there is no such secret. Errors: as get().
  Result<std::string> hash(const std::string& namespace_, const std::string& secret);
  // The same of several, by name.
  Result<std::map<std::string, std::string>> hashes(const std::string& namespace_,
                                                    const std::set<std::string>& secrets);

  // How old what is returned may be: a rotated secret is seen after this.
  static constexpr std::chrono::seconds kKeep{30};

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Clock::time_point read;
    bool exists = false;
    std::map<std::string, std::string> data;
    std::string hash;
  };

  // Shared: it may be read anew while it is in use.
  Result<std::shared_ptr<const Entry>> find(const std::string& namespace_,
                                            const std::string& secret);

  kube::Client& client_;
  std::mutex mutex_;
  // By namespace and name; guarded by mutex_.
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Entry>> entries_;
};

// The secrets of one namespace. Thread-safe.
class NamespaceSecrets final : public model::SecretStore {
 public:
  NamespaceSecrets(SecretCache& cache, std::string of) : cache_(cache), namespace_(std::move(of)) {}
  ~NamespaceSecrets() override;
  NamespaceSecrets(const NamespaceSecrets&) = delete;
  NamespaceSecrets& operator=(const NamespaceSecrets&) = delete;

  Result<std::string> get(std::string_view secret, std::string_view key) const override {
    return cache_.get(namespace_, std::string(secret), std::string(key));
  }
  // A file in memory, as long as this lives. The same one as long as the entry is.
  Result<std::filesystem::path> file(std::string_view secret, std::string_view key) const override;

 private:
  SecretCache& cache_;
  const std::string namespace_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, int> files_;  // by content; guarded by mutex_
};

}  // namespace searchsync::cluster
