#include "query/run/table_routes.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <vector>

#include "lib/model/fault.h"
#include "query/openapi_merge.h"

namespace searchsync::query {

using Json = nlohmann::json;

http::Routes& TableRoutes::of(const std::string& table) {
  return tables_[table];
}

void TableRoutes::add_to(http::Server& server) {
  std::set<std::pair<http::Method, std::string>> patterns;
  for (const auto& [name, taken] : tables_) {
    for (const auto& [route, handler] : taken.handlers) patterns.insert(route);
  }
  for (const auto& [method, pattern] : patterns) {
    const auto answer = pattern.find("{index}") != std::string::npos ? &TableRoutes::pass_on
                        : pattern == "/openapi.json"                 ? &TableRoutes::openapi
                                                                     : &TableRoutes::overview;
    server.route(method, pattern, [this, answer, pattern](const http::Request& request) {
      return (this->*answer)(request, pattern);
    });
  }
}

http::Response TableRoutes::pass_on(const http::Request& request,
                                    const std::string& pattern) const {
  const std::string& name = request.path_parameter("index");
  const auto table = tables_.find(name);
  if (table != tables_.end()) {
    return table->second.handlers.at({request.method, pattern})(request);
  }
  return refuse(request, name);
}

// Whoever asks learns of no table that GET /v1 would not name to them.
http::Response TableRoutes::refuse(http::Request request, const std::string& name) const {
  request.method = http::Method::kGet;
  request.path_parameters.clear();
  auto all = overview(request, "/v1");
  if (all.status != 200) return all;
  std::vector<std::string> known;
  const Json seen = Json::parse(all.body);
  for (const auto& one : seen.at("indices")) known.push_back(one.at("name").get<std::string>());
  return http::error_response(
      404, "unknown_index",
      fmt::format("no table `{}` is served here{}; GET /v1 names all", name.substr(0, 100),
                  name.size() > 100 ? "" : model::did_you_mean(name, known)));
}

http::Response TableRoutes::overview(const http::Request& request,
                                     const std::string& pattern) const {
  Json all = {{"indices", Json::array()}, {"openapi", "/openapi.json"}};
  std::optional<http::Response> refused;
  for (const auto& [name, taken] : tables_) {
    auto response = taken.handlers.at({request.method, pattern})(request);
    if (response.status != 200) {
      refused = std::move(response);
      continue;
    }
    const Json one = Json::parse(response.body);
    for (const auto& index : one.at("indices")) all["indices"].push_back(index);
  }
  if (refused && all["indices"].empty()) return std::move(*refused);
  return {.body = all.dump(), .headers = {}};
}

http::Response TableRoutes::openapi(const http::Request& request,
                                    const std::string& pattern) const {
  std::vector<std::pair<std::string, std::string>> documents;
  std::optional<http::Response> refused;
  for (const auto& [name, taken] : tables_) {
    auto response = taken.handlers.at({request.method, pattern})(request);
    if (response.status == 200) {
      documents.emplace_back(name, std::move(response.body));
    } else {
      refused = std::move(response);
    }
  }
  if (refused && documents.empty()) return std::move(*refused);
  return {.body = merge_openapi(name_, documents), .headers = {}};
}

}  // namespace searchsync::query
