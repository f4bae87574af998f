#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/error.h"

namespace searchsync::http {

struct BasicAuth {
  std::string username;
  std::string password;
};
// Sent as "Authorization: ApiKey <key>": the encoded form that Elasticsearch hands out.
struct ApiKeyAuth {
  std::string key;
};
struct BearerAuth {
  std::string token;
};
using ClientAuth = std::variant<std::monostate, BasicAuth, ApiKeyAuth, BearerAuth>;

struct ClientOptions {
  // "http://host:port" or "https://host:port/prefix", at least one; all lead to the same service.
  // User names and passwords are not accepted here: they belong into `auth`.
  std::vector<std::string> base_urls;
  ClientAuth auth;
  std::string ca_pem;  // PEM; empty: the system's certificates. Servers are always verified.
  // PEM; both or none: who we are, to servers that ask for a certificate.
  std::string certificate_pem;
  std::string key_pem;
  std::string tls_server_name;  // whose certificate servers have; empty: that of the URL's host
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds failed_url_pause{10'000};  // how long an unreachable URL is left out
  size_t response_bytes_max = size_t{64} << 20;
  size_t in_flight_max = 64;  // of an AsyncClient; also the connections a Client keeps open
};

struct ClientHeader {
  std::string name;
  std::string value;
};

struct ClientRequest {
  std::string method = "GET";
  std::string path = "/";  // with the query string; appended to a base URL as it is
  std::vector<ClientHeader> headers;
  std::string body;                           // may be empty
  std::chrono::milliseconds timeout{30'000};  // of everything, all attempts at all URLs together
};

struct ClientResponse {
  int status = 0;
  std::vector<ClientHeader> headers;  // names in lower case, in the order received
  std::string body;

  // The first header of this lower-case name, or nothing ("").
  std::string_view header(std::string_view name) const;
};

// Requests over connections that are kept open. A status is not an error: 404 and 500 are
// responses.
//
// Errors: kUnavailable when no URL could be reached or the connection broke, kTimeout, kLimit when
// the response was longer than allowed, kPermission when the server's certificate is not to be
// trusted, kCancelled when the client was destroyed. Messages name method, host and path without
// its query string, never a credential or a body.
//
// When a URL cannot be connected to, the next is tried. A request that may have reached a server is
// not sent again: whether that is safe only the caller knows. (Except that a kept connection which
// turns out to be closed, without one byte of answer, is replaced: servers close idle ones.)
// Proxies of the environment are not used, redirects are not followed, nothing is decompressed.

// Waits for the response. Thread-safe: each concurrent request uses a connection of its own.
class Client {
 public:
  // kInvalidArgument for a URL or option that cannot work.
  static Result<std::unique_ptr<Client>> create(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Result<ClientResponse> request(const ClientRequest& request);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// What became of a submitted request. The request comes back as it went in, its body included, so
// that parts of it can be sent again.
struct Completion {
  Result<ClientResponse> response;
  ClientRequest request;
};

// Many requests at once on one thread of its own.
class AsyncClient {
 public:
  // Runs on the client's thread: it may hand the completion to a queue, and nothing that waits.
  using Callback = std::move_only_function<void(Completion)>;

  static Result<std::unique_ptr<AsyncClient>> create(ClientOptions options);

  // Every request still open completes as kCancelled before this returns. It may have been applied.
  ~AsyncClient();
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  // False, and both arguments untouched, when in_flight_max requests are in flight. Else the
  // callback is called exactly once. Order of completion is not promised. Thread-safe; does not
  // wait.
  [[nodiscard]] bool submit(ClientRequest&& request, Callback&& callback);

  // Requests submitted whose callback has not been called. A place is free before the callback
  // runs.
  size_t in_flight() const;

 private:
  struct Impl;
  explicit AsyncClient(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

// `text` with everything but letters, digits and -._~ as %XX, for one segment of a path or one
// parameter of a query string.
std::string percent_encode(std::string_view text);

}  // namespace searchsync::http
