#include "query/run/service.h"

#include <fmt/format.h>

#include "lib/elastic/json_text.h"
#include "query/openapi.h"
#include "query/parameters.h"
#include "query/run/problems.h"
#include "query/run/semi_join.h"

namespace searchsync::query {
namespace {

// more: members that go with the answer's.
http::Response timed(const Answer& answer, std::string_view more, const Visit& visit) {
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(Engine::Clock::now() - visit.start);
  return {.body = fmt::format(R"({{{}{},"tookMs":{},"engineTookMs":{}}})", answer.members, more,
                              took.count(), answer.engine_took_ms),
          .headers = {}};
}

int64_t now_ms() {
  return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())
      .time_since_epoch()
      .count();
}

bool asks_freshness(const http::Request& request, Faults& faults) {
  const auto asked = request.query_parameter("freshness");
  if (asked && *asked != "true" && *asked != "false") faults.add("freshness", "true or false");
  return asked == "true";
}

http::Response no_such_document(const Visit& visit) {
  if (visit.rules.absent.empty()) {
    return http::error_response(404, "no_such_document", "there is no document with this id");
  }
  std::string id;
  elastic::append_quoted(id, visit.request.path_parameter("id"));
  return {.body = fmt::format(R"({{"id":{},"found":false,"source":{}}})", id, visit.rules.absent),
          .headers = {}};
}

}  // namespace

Service::Service(Door& door, Engine& engine, FreshnessSource& freshness, model::JsonText mappings,
                 std::vector<Screener> screeners, std::vector<model::CommandSpec> commands)
    : door_(door),
      engine_(engine),
      freshness_(freshness),
      mappings_(std::move(mappings)),
      screeners_(std::move(screeners)),
      commands_(std::move(commands)) {}

void Service::add_routes(http::Routes& server) {
  const auto add = [&](http::Method method, std::string_view path, std::string_view endpoint,
                       http::Response (Service::*room)(const Visit&)) {
    server.route(method, path, door_.open(std::string(endpoint), [this, room](const Visit& visit) {
      return (this->*room)(visit);
    }));
  };
  using enum http::Method;
  add(kGet, "/", "overview", &Service::overview);
  add(kGet, "/v1", "overview", &Service::overview);
  add(kGet, "/openapi.json", "openapi", &Service::openapi);
  add(kGet, "/v1/{index}/documents", "list", &Service::list);
  add(kGet, "/v1/{index}/timelines/{field}", "timeline", &Service::timeline);
  add(kGet, "/v1/{index}/documents/{id}", "document", &Service::document);
  add(kPost, "/v1/{index}/search", "search", &Service::search);
  add(kPost, "/v1/{index}/count", "count", &Service::count);
  add(kGet, "/v1/{index}/count", "count", &Service::count_by_parameters);
  add(kGet, "/v1/{index}/freshness", "freshness", &Service::freshness);
  add(kGet, "/v1/{index}/fields", "fields", &Service::fields);
}

http::Response Service::overview(const Visit&) {
  std::string name;
  elastic::append_quoted(name, door_.name());
  std::string path;
  elastic::append_quoted(path, "/v1/" + http::percent_encode(door_.name()));
  return {.body = fmt::format(
              R"({{"indices":[{{"name":{},"path":{}}}],"openapi":"/openapi.json"}})", name, path),
          .headers = {}};
}

http::Response Service::openapi(const Visit& visit) {
  return {.body = openapi_document({.index = door_.name(),
                                    .mappings = mappings_,
                                    .rules = visit.rules,
                                    .screeners = screeners_,
                                    .keyed = door_.keyed(),
                                    .commands = commands_}),
          .headers = {}};
}

// Of whom not every document is, or not all of it, the engine's search decides. In a partitioned
// index only a search knows where a document is.
http::Response Service::restricted_document(const Visit& visit, std::string_view id) {
  const auto response =
      engine_.search(door_.partitions() ? door_.partitions()->all(visit.target) : visit.target,
                     document_query(id, visit.rules), visit.deadline);
  if (!response) return problem_response(response.error());
  std::string body;
  const auto page = read_page(response->status, response->body,
                              [&body](std::string_view name, std::string_view source) {
                                body = fmt::format(R"({{"id":{},"source":{}}})", name, source);
                                return !source.empty();
                              });
  if (!page) return problem_response(page.error());
  if (page->hits == 0) return no_such_document(visit);
  return {.body = std::move(body), .headers = {}};
}

http::Response Service::document(const Visit& visit) {
  const std::string& id = visit.request.path_parameter("id");
  if (visit.rules.restricted() || door_.partitions()) return restricted_document(visit, id);
  const auto response =
      engine_.call("GET", fmt::format("/{}/_doc/{}", visit.target, http::percent_encode(id)), "",
                   visit.deadline);
  if (!response) return problem_response(response.error());
  const auto answer = document_answer(response->status, response->body);
  if (!answer) return problem_response(answer.error());
  if (answer->members.empty()) return no_such_document(visit);
  return {.body = "{" + answer->members + "}", .headers = {}};
}

http::Response Service::list(const Visit& visit) {
  Faults faults;
  const Ask ask =
      read_parameters(visit.request.query, visit.rules.catalog,
                      {"size", "cursor", "sort", "fields", "allowPartial", "freshness"}, faults);
  return answer_search(visit, ask, std::move(faults));
}

http::Response Service::timeline(const Visit& visit) {
  Faults faults;
  const FieldCatalog& catalog = visit.rules.catalog;
  Ask ask = read_parameters(visit.request.query, catalog,
                            {"size", "cursor", "fields", "allowPartial", "freshness"}, faults);
  make_timeline(visit.request.path_parameter("field"), catalog, ask, faults);
  return answer_search(visit, ask, std::move(faults));
}

http::Response Service::search(const Visit& visit) {
  Faults faults;
  const auto ask =
      read_body(visit.request.body,
                {"filter", "sort", "size", "cursor", "facets", "fields", "allowPartial"}, faults);
  if (!ask) return faults_response(faults);
  return answer_search(visit, *ask, std::move(faults));
}

http::Response Service::answer_search(const Visit& visit, const Ask& ask, Faults faults) {
  const SearchPlan plan = plan_search(ask, visit.rules, faults);
  return answer(visit, ask, plan, std::move(faults), search_answer);
}

http::Response Service::count(const Visit& visit) {
  Faults faults;
  const auto ask = read_body(visit.request.body, {"filter", "allowPartial"}, faults);
  if (!ask) return faults_response(faults);
  return answer_count(visit, *ask, std::move(faults));
}

http::Response Service::count_by_parameters(const Visit& visit) {
  Faults faults;
  const Ask ask = read_parameters(visit.request.query, visit.rules.catalog,
                                  {"allowPartial", "freshness"}, faults);
  return answer_count(visit, ask, std::move(faults));
}

http::Response Service::answer_count(const Visit& visit, const Ask& ask, Faults faults) {
  const SearchPlan plan = plan_count(ask, visit.rules, faults);
  return answer(visit, ask, plan, std::move(faults), count_answer);
}

http::Response Service::answer(const Visit& visit, const Ask& ask, const SearchPlan& plan,
                               Faults faults, ReadAnswer& read) {
  const bool fresh_asked = asks_freshness(visit.request, faults);
  if (!faults.empty()) return faults_response(faults);
  auto body = with_related(plan.body, plan.related, visit);
  if (!body) return std::move(body.error());
  std::string more = freshness_member(fresh_asked);
  const auto& partitions = door_.partitions();
  const Target target = partitions ? partitions->target(ask, now_ms(), visit.target)
                                   : Target{.names = visit.target, .parameters = ""};
  const auto response =
      engine_.search(target.names, *body, visit.deadline, plan.partial, target.parameters);
  if (!response) return problem_response(response.error());
  const auto found = read(response->status, response->body, plan);
  if (!found) return problem_response(found.error());
  if (partitions) more += fmt::format(R"(,"partitions":{})", target.partitions(found->shards));
  return timed(*found, more, visit);
}

http::Response Service::freshness(const Visit&) {
  return {.body = freshness_.json(), .headers = {}};
}

std::expected<std::string, http::Response> Service::with_related(
    const std::string& body, std::span<const RelatedQuery> related, const Visit& visit) {
  if (related.empty()) return body;
  const auto queries = ask_related(related, visit.rules.related_keys_max, engine_, visit.deadline);
  if (!queries) return std::unexpected(queries.error());
  return fill_markers(body, *queries);
}

std::string Service::freshness_member(bool asked) {
  return asked ? ",\"freshness\":" + freshness_.json() : std::string();
}

http::Response Service::fields(const Visit& visit) {
  return {.body = render_fields(door_.name(), visit.rules.catalog), .headers = {}};
}

}  // namespace searchsync::query
