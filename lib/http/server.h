#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"

namespace searchsync::http {

enum class Method { kGet, kPost, kPut, kPatch, kDelete };

struct Request {
  Method method = Method::kGet;
  std::string path;  // decoded, without the query
  std::string body;  // decompressed
  std::string remote_address;
  std::vector<std::pair<std::string, std::string>> query;           // decoded, in order of name
  std::map<std::string, std::string, std::less<>> path_parameters;  // by their name in the pattern
  std::map<std::string, std::string, std::less<>> headers;          // names in lower case

  // The first of that name.
  std::optional<std::string_view> query_parameter(std::string_view name) const;
  std::optional<std::string_view> header(std::string_view name) const;  // in lower case
  // The value of {name} in the route's pattern; a name that is not in it is a bug.
  const std::string& path_parameter(std::string_view name) const;
};

// Takes the next bytes of a body. False: the client is gone, or too slow.
using Sink = std::function<bool(std::string_view)>;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  // If there is one, it writes the body, in place of `body`, as it comes. False breaks the
  // connection off, so that the client sees that the body is not whole. Called at most once, on the
  // thread of the request: not for a HEAD.
  std::function<bool(const Sink&)> stream = nullptr;
};

// {"error":{"code":"<code>","message":"<message>"}}: the form of every error we answer.
// `code` is in snake_case and closed for each route, for programs; the message is for people.
Response error_response(int status, std::string_view code, std::string_view message);

// PEM: a certificate with those that lead from it to an authority, and its key.
struct TlsFiles {
  std::string certificate;
  std::string key;
};

// Called on the server's threads, several at a time: must be thread-safe.
using Handler = std::function<Response(const Request&)>;

// What takes routes.
class Routes {
 public:
  virtual ~Routes() = default;

  // `pattern` is "/indices/{name}/_search": a segment in braces matches one segment, not empty, and
  // gives a path parameter. Where several match, the one with the most literal segments is taken. A
  // pattern of the wrong form, or twice, is a bug.
  virtual void route(Method method, std::string_view pattern, Handler handler) = 0;
};

// An HTTP/1.1 server, over TLS or not. Each connection holds a thread as long as it is open; past
// `threads` connections the one that has been idle for longest is closed, or the next one waits.
//
// Answers by itself, in our error form: 404 not_found, 405 method_not_allowed, 413
// payload_too_large, 415 unsupported_encoding (of a body, other than gzip), 500 internal (a handler
// threw; the log says what), 503 overloaded. HEAD is answered by the GET route.
class Server final : public Routes {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";  // "host:port", "[::1]:port"; port 0: any that is free
    size_t threads = 16;
    size_t waiting_max = 1024;              // connections without a thread; further ones get a 503
    size_t body_bytes_max = 1 << 20;        // as sent, and decompressed
    std::chrono::seconds read_timeout{10};  // from one byte to the next
    std::chrono::seconds request_timeout{60};  // for all of a request to come
    std::chrono::seconds write_timeout{30};    // for all of a response to go
    std::chrono::seconds keep_alive{15};       // how long an idle connection is kept; at least 1
    std::optional<TlsFiles> tls;               // nothing: plain HTTP
  };

  explicit Server(Options options);
  // Calls stop().
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before start() only.
  void route(Method method, std::string_view pattern, Handler handler) override;

  // Binds, then serves on its own threads. Errors: kInvalidArgument (listen, tls), kConflict (the
  // address is in use), kPermission (a port below 1024), kUnavailable (no such address here).
  Result<void> start();

  // "host:port" with the real port; empty before start().
  std::string address() const;

  // Accepts nothing more, lets the requests that run finish, closes idle connections. Returns when
  // all threads are done. Does nothing if it is not running.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace searchsync::http
