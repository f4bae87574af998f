#pragma once

// One attempt at one request through libcurl. For client.cc and async_client.cc only.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "lib/http/client.h"

namespace searchsync::http {

// What all transfers of a client share. Constant after construction.
struct TransferConfig {
  ClientOptions options;
  std::vector<std::string> origins;  // base URLs without a trailing slash

  static Result<TransferConfig> create(ClientOptions options);
};

// What became of an attempt.
struct Attempt {
  Result<ClientResponse> response;
  bool sent = true;  // false: no server has seen the request, another may be tried
};

// Owns one easy handle, which keeps its connections between attempts. Not thread-safe.
class Transfer {
 public:
  explicit Transfer(const TransferConfig& config);  // `config` must outlive this
  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  // The CURL*, ready to be performed after prepare().
  void* handle() const;

  // `request` must outlive the attempt.
  void prepare(const ClientRequest& request, size_t endpoint, std::chrono::milliseconds timeout);

  // result: the CURLcode that the attempt ended with.
  Attempt finish(int result);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::http
