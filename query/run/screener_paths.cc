#include "query/run/screener_paths.h"

#include <fmt/format.h>

#include "lib/base/log.h"
#include "query/run/problems.h"

namespace searchsync::query {

ScreenerPaths::ScreenerPaths(std::vector<Screener> screeners, Door& door, Service& service,
                             Exporter& exporter)
    : screeners_(std::move(screeners)), door_(door), service_(service), exporter_(exporter) {
  for (const Screener& screener : screeners_) {
    broken_.push_back(check_screener(screener, door.rules()));
    for (const Fault& fault : broken_.back().list()) {
      log::warning("screener {}: {}: {}", screener.name, fault.path, fault.expected);
    }
  }
}

void ScreenerPaths::add_routes(http::Routes& server) {
  server.route(http::Method::kGet, "/v1/{index}/screeners",
               door_.open("screeners", [this](const Visit& visit) {
                 const auto usable = usable_screeners(screeners_, visit.rules);
                 return http::Response{.body = render_screeners(usable), .headers = {}};
               }));
  const auto add = [&](const std::string& suffix, const std::string& endpoint, const Use& use) {
    for (const auto method : {http::Method::kGet, http::Method::kPost}) {
      server.route(
          method, "/v1/{index}/screeners/{name}" + suffix,
          door_.open(endpoint, [this, &use](const Visit& visit) { return open(visit, use); }));
    }
  };
  static const Use kSearch = {
      {"size", "cursor", "allowPartial", "freshness"},
      {"parameters", "size", "cursor", "allowPartial"},
      [](ScreenerPaths& self, const Visit& visit, const Ask& ask, Faults faults) {
        return self.service_.answer_search(visit, ask, std::move(faults));
      }};
  static const Use kCount = {
      {"allowPartial", "freshness"},
      {"parameters", "allowPartial"},
      [](ScreenerPaths& self, const Visit& visit, const Ask& ask, Faults faults) {
        return self.service_.answer_count(visit, ask, std::move(faults));
      }};
  static const Use kAll = {
      {"limit", "format"},
      {"parameters", "limit", "format"},
      [](ScreenerPaths& self, const Visit& visit, const Ask& ask, Faults faults) {
        return self.exporter_.answer(visit, ask, std::move(faults));
      }};
  add("", "screener", kSearch);
  add("/count", "screener_count", kCount);
  add("/export", "screener_export", kAll);
}

http::Response ScreenerPaths::open(const Visit& visit, const Use& use) {
  const Screener* screener = find_screener(screeners_, visit.request.path_parameter("name"));
  if (screener == nullptr || usable_screeners({screener, 1}, visit.rules).empty()) {
    return http::error_response(404, "no_such_screener", "there is no screener of this name");
  }
  const auto& broken = broken_[static_cast<size_t>(screener - screeners_.data())].list();
  if (!broken.empty()) {
    return http::error_response(422, "screener_broken",
                                fmt::format("the screener does not fit the index: {}: {}",
                                            broken[0].path, broken[0].expected));
  }
  Faults faults;
  Ask rest;
  Arguments arguments;
  if (visit.request.method == http::Method::kGet) {
    arguments = read_arguments(visit.request.query, use.controls, rest, faults);
  } else {
    auto body = read_body(visit.request.body, use.members, faults);
    if (!body) return faults_response(faults);
    arguments = take_arguments(*body, faults);
    rest = std::move(*body);
  }
  const Ask ask = fill_in(*screener, arguments, rest, visit.rules, faults);
  return use.room(*this, visit, ask, std::move(faults));
}

}  // namespace searchsync::query
