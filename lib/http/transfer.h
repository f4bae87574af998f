#pragma once

// One attempt at one request through libcurl. For client.cc and async_client.cc only.

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/http/client.h"

namespace searchsync::http {

// What all transfers of a client share. Constant after construction.
struct TransferConfig {
  ClientOptions options;
  std::vector<std::string> origins;  // base URLs without a trailing slash

  // Where a tls_server_name is given it takes the host's place in the URL, because that is the name
  // libcurl asks for and verifies; these lead the connection and the Host header back. Else empty.
  struct Detour {
    std::string origin;      // "https://tls-server-name:port/prefix"
    std::string connect_to;  // "::host:port"
    std::string authority;   // "host:port"
  };
  std::vector<Detour> detours;  // one for each origin

  static Result<TransferConfig> create(ClientOptions options);
};

// What became of an attempt.
struct Attempt {
  Result<ClientResponse> response;
  bool sent = true;  // false: no server has seen the request, another may be tried
};

// Takes a body as it comes.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // head: status and headers, without a body. The first call is made when these are there, without
  // bytes.
  virtual void on_bytes(const ClientResponse& head, std::string_view bytes) = 0;
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

  // After prepare(): a body of any length goes to `reader`, which must outlive the attempt. A peer
  // that is gone is noticed.
  void stream_to(BodyReader& reader);

  // result: the CURLcode that the attempt ended with.
  Attempt finish(int result);

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::http
