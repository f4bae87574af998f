// A search engine that keeps no documents: what the operator asks of one, from memory, so that a
// measurement of the operator measures the operator.
//
// Every index is under its alias as soon as it is made, in place of the workers that would have
// filled it. GET /_stub says how many requests there were.

#include <fmt/core.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "lib/http/server.h"

namespace searchsync {
namespace {

using http::Request;
using http::Response;
using nlohmann::json;

class Indices {
 public:
  Response create(const std::string& name, const std::string& body) {
    const json given = json::parse(body, nullptr, false);
    if (!given.is_object()) return http::error_response(400, "parsing_exception", "no object");
    json index = {{"aliases", {{alias_of(name), json::object()}}},
                  {"mappings", given.value("mappings", json::object())},
                  {"settings", {{"index.uuid", name}}}};
    set(index["settings"], given.value("settings", json::object()));
    const std::lock_guard lock(mutex_);
    if (!texts_.try_emplace(name, index.dump()).second) {
      return http::error_response(400, "resource_already_exists_exception", name);
    }
    return acknowledged();
  }

  Response update(const std::string& name, const std::string& body) {
    const std::lock_guard lock(mutex_);
    const auto found = texts_.find(name);
    if (found == texts_.end()) return missing(name);
    json index = json::parse(found->second);
    set(index["settings"], json::parse(body, nullptr, false));
    found->second = index.dump();
    return acknowledged();
  }

  Response remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return texts_.erase(name) > 0 ? acknowledged() : missing(name);
  }

  // pattern: a name, or "alias-*".
  Response list(const std::string& pattern) const {
    const bool many = pattern.ends_with('*');
    const auto prefix = many ? pattern.substr(0, pattern.size() - 1) : pattern;
    std::string body;
    const std::lock_guard lock(mutex_);
    for (auto one = texts_.lower_bound(prefix); one != texts_.end(); ++one) {
      const auto& [name, text] = *one;
      if (many ? !name.starts_with(prefix) : name != prefix) break;
      body += fmt::format("{}\"{}\":{}", body.empty() ? "" : ",", name, text);
    }
    if (body.empty() && !many) return missing(pattern);
    return {.body = "{" + body + "}"};
  }

  Response alias(const std::string& name) const {
    json found = json::object();
    const std::lock_guard lock(mutex_);
    for (auto one = texts_.lower_bound(name + "-"); one != texts_.end(); ++one) {
      if (!one->first.starts_with(name + "-")) break;
      found[one->first] = {{"aliases", {{name, json::object()}}}};
    }
    return found.empty() ? missing(name) : Response{.body = found.dump()};
  }

  static Response acknowledged() { return {.body = R"({"acknowledged":true})"}; }

 private:
  static std::string alias_of(const std::string& index) {
    return index.substr(0, index.rfind('-'));
  }

  static Response missing(const std::string& name) {
    return http::error_response(404, "index_not_found_exception", name);
  }

  // As the engines do with flat_settings: all values are text.
  static void set(json& settings, const json& given) {
    for (const auto& [key, value] : given.items()) {
      settings[key] = value.is_string() ? value : json(value.dump());
    }
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::string> texts_;  // by name: JSON; guarded by mutex_
};

int serve(const char* address_file) {
  Indices indices;
  std::atomic<int64_t> requests = 0;
  http::Server server({.threads = 64, .keep_alive = std::chrono::seconds(600)});
  const auto route = [&](http::Method method, std::string_view pattern, auto answer) {
    server.route(method, pattern, [&requests, answer](const Request& request) {
      ++requests;
      return answer(request);
    });
  };
  using enum http::Method;
  const auto name_of = [](const Request& request) { return request.path_parameter("name"); };
  route(kGet, "/", [](const Request&) {
    return Response{.body = R"({"version":{"distribution":"opensearch","number":"2.19.1"}})"};
  });
  route(kPut, "/{name}", [&, name_of](const Request& request) {
    return indices.create(name_of(request), request.body);
  });
  route(kGet, "/{name}",
        [&, name_of](const Request& request) { return indices.list(name_of(request)); });
  route(kDelete, "/{name}",
        [&, name_of](const Request& request) { return indices.remove(name_of(request)); });
  route(kGet, "/{name}/_alias",
        [&, name_of](const Request& request) { return indices.alias(name_of(request)); });
  route(kPut, "/{name}/_settings", [&, name_of](const Request& request) {
    return indices.update(name_of(request), request.body);
  });
  route(kPost, "/{name}/_refresh",
        [](const Request&) { return Response{.body = R"({"_shards":{"failed":0}})"}; });
  route(kPost, "/_aliases", [](const Request&) { return Indices::acknowledged(); });
  server.route(kGet, "/_stub", [&](const Request&) {
    return Response{.body = fmt::format(R"({{"requests":{}}})", requests.load())};
  });

  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  if (const auto started = server.start(); !started) {
    fmt::print(stderr, "engine_stub: {}\n", started.error().message);
    return 1;
  }
  std::ofstream(address_file) << server.address() << std::endl;
  int received = 0;
  sigwait(&ends, &received);
  server.stop();
  return 0;
}

}  // namespace
}  // namespace searchsync

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: engine_stub ADDRESS_FILE\n");
    return 2;
  }
  return searchsync::serve(argv[1]);
}
