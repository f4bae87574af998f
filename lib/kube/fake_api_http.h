#pragma once

// FakeApiServer on a port of the loopback interface, in real time.

#include <functional>
#include <memory>
#include <string>

#include "lib/kube/fake_api_server.h"

namespace searchsync::kube {

class FakeApiHttp {
 public:
  struct Options {
    // PEM. With a certificate it speaks TLS; with a client CA it asks clients for theirs.
    std::string certificate;
    std::string key;
    std::string client_ca;
  };

  // Serves until it is destroyed.
  FakeApiHttp(uint64_t seed, const Options& options);
  explicit FakeApiHttp(uint64_t seed) : FakeApiHttp(seed, Options()) {}
  ~FakeApiHttp();

  std::string url() const;

  // The server, while nothing else touches it.
  void with(const std::function<void(FakeApiServer&)>& action);

  // From now on only requests with this token are let in; empty: all.
  void require_token(std::string token);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::kube
