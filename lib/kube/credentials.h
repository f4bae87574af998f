#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "lib/kube/cluster_config.h"

namespace searchsync::kube {

// What a ClusterConfig comes to at this moment. Files are looked at again (at most once a second;
// read again when replaced, and once a minute in any case); exec plugins are run again when what
// they gave expires. Thread-safe.
class Credentials {
 public:
  struct Current {
    uint64_t revision = 0;      // another one whenever anything below is another
    uint64_t tls_revision = 0;  // the same for the certificates and the key
    std::string token;          // without line breaks; empty: none
    std::string ca_pem;
    std::string certificate_pem;
    std::string key_pem;
  };

  // Reads everything once. Errors: as current().
  static Result<std::unique_ptr<Credentials>> create(ClusterConfig config);
  ~Credentials();
  Credentials(const Credentials&) = delete;
  Credentials& operator=(const Credentials&) = delete;

  const ClusterConfig& config() const;

  // May wait for an exec plugin, for at most kExecTimeout. Where a file cannot be read that could
  // be before, the value before is kept and a warning is logged. Shared, because requests that are
  // under way go on with what they began with.
  // Errors: kNotFound, kInvalidArgument, kPermission, kTimeout; they say file or command.
  Result<std::shared_ptr<const Current>> current();

  // The server has answered 401 to what `revision` was: the next current() reads or runs everything
  // again, but not more than once in kRejectedPause.
  void rejected(uint64_t revision);

  static constexpr std::chrono::seconds kExecTimeout{30};
  static constexpr std::chrono::seconds kRejectedPause{1};

 private:
  struct Impl;
  explicit Credentials(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kube
