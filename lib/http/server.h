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
  std::string body;
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

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// {"error":{"code":"<code>","message":"<message>"}}: the form of every error we answer.
// `code` is in snake_case and closed for each route, for programs; the message is for people.
Response error_response(int status, std::string_view code, std::string_view message);

// Called on the server's threads, several at a time: must be thread-safe.
using Handler = std::function<Response(const Request&)>;

// An HTTP/1.1 server for few, known clients: health probes, Prometheus, a load balancer. Each
// connection holds a thread as long as it is open; past `threads` connections the next waits until
// one closes or has been idle for keep_alive.
//
// Answers by itself, in our error form: 404 not_found, 405 method_not_allowed, 413
// payload_too_large, 500 internal (a handler threw; the log says what). HEAD is answered by the GET
// route.
class Server {
 public:
  struct Options {
    std::string listen = "127.0.0.1:0";  // "host:port", "[::1]:port"; port 0: any that is free
    size_t threads = 16;
    size_t body_bytes_max = 1 << 20;
    std::chrono::seconds read_timeout{10};
    std::chrono::seconds write_timeout{30};
    std::chrono::seconds keep_alive{15};  // how long an idle connection is kept; at least 1
  };

  explicit Server(Options options);
  // Calls stop().
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Before start() only. `pattern` is "/indices/{name}/_search": a segment in braces matches one
  // segment, not empty, and gives a path parameter. Where several match, the one with the most
  // literal segments is taken. A pattern of the wrong form, or twice, is a bug.
  void route(Method method, std::string_view pattern, Handler handler);

  // Binds, then serves on its own threads. Errors: kInvalidArgument (listen), kConflict (the
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
