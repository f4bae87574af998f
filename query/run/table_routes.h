#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "lib/http/server.h"

namespace searchsync::query {

// The paths of many tables in one server: each request goes to the table that its path names. What
// is about none of them, /, /v1 and /openapi.json, is put together from what each says to whoever
// asks.
//
// Answers by itself: 404 unknown_index.
class TableRoutes {
 public:
  // name: of all of them together, for people.
  explicit TableRoutes(std::string name) : name_(std::move(name)) {}

  // Takes the routes of one table. Valid as long as this is.
  http::Routes& of(const std::string& table);

  // When all are taken. This must outlive the server.
  void add_to(http::Server& server);

 private:
  class Taken final : public http::Routes {
   public:
    void route(http::Method method, std::string_view pattern, http::Handler handler) override {
      handlers.emplace(std::pair(method, std::string(pattern)), std::move(handler));
    }
    std::map<std::pair<http::Method, std::string>, http::Handler> handlers;
  };

  http::Response overview(const http::Request& request, const std::string& pattern) const;
  http::Response openapi(const http::Request& request, const std::string& pattern) const;
  http::Response pass_on(const http::Request& request, const std::string& pattern) const;
  http::Response refuse(http::Request request, const std::string& name) const;

  const std::string name_;
  std::map<std::string, Taken, std::less<>> tables_;
};

}  // namespace searchsync::query
