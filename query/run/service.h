#pragma once

#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/http/server.h"
#include "lib/model/resources.h"
#include "query/answer.h"
#include "query/request.h"
#include "query/run/door.h"
#include "query/run/engine.h"
#include "query/run/freshness_source.h"
#include "query/screeners.h"

namespace searchsync::query {

// GET  /, /v1                       what is served here
// GET  /openapi.json                all of it, for programs
// GET  /v1/{index}/documents?…      as search, asked by parameters: see parameters.h
// GET  /v1/{index}/timelines/{field}?…  those with the date field, newest first
// GET  /v1/{index}/documents/{id}   {"id", "source"}; as last written, refreshed or not; with
//                                   "found": false where spec.query.absent stands for it
// POST /v1/{index}/search           {"total", "hits", "cursor", "facets", "tookMs", "engineTookMs"}
// POST /v1/{index}/count            {"count", "tookMs", "engineTookMs"}; or GET, by parameters
// GET  /v1/{index}/fields           what can be asked of which field
// GET  /v1/{index}/freshness        how far the documents are behind: see freshness.h
//
// With ?freshness=true pages and counts have "freshness", read before the engine was asked.
//
// Of a partitioned index they have "partitions": how many were asked, for a filter by its time
// leaves out the others; and a document is found by its id once it is refreshed.
//
// Errors, in the server's form: 400 invalid_request with every fault, or engine_refused; 404
// unknown_index, no_such_document; 502 partial_result, engine_unreadable, engine_credentials; 503
// engine_unavailable with Retry-After; 504 engine_timeout. Never part of an answer.
//
// Thread-safe: handlers share nothing but the engine and the door, which are.
class Service {
 public:
  // mappings, screeners, commands: for the OpenAPI document. Door and engine must outlive the
  // server that the routes are added to, and so must this.
  Service(Door& door, Engine& engine, FreshnessSource& freshness, model::JsonText mappings,
          std::vector<Screener> screeners = {}, std::vector<model::CommandSpec> commands = {});

  void add_routes(http::Routes& server);

  // What else asks like a search, or a count. faults: those found before.
  http::Response answer_search(const Visit& visit, const Ask& ask, Faults faults);
  http::Response answer_count(const Visit& visit, const Ask& ask, Faults faults);

 private:
  http::Response overview(const Visit& visit);
  http::Response openapi(const Visit& visit);
  http::Response document(const Visit& visit);
  http::Response restricted_document(const Visit& visit, std::string_view id);
  http::Response list(const Visit& visit);
  http::Response timeline(const Visit& visit);
  http::Response search(const Visit& visit);
  http::Response count(const Visit& visit);
  http::Response count_by_parameters(const Visit& visit);
  http::Response fields(const Visit& visit);
  http::Response freshness(const Visit& visit);

  // What is left of both, once it is planned. read: search_answer() or count_answer().
  using ReadAnswer = std::expected<Answer, EngineProblem>(int, std::string_view, const SearchPlan&);
  http::Response answer(const Visit& visit, const Ask& ask, const SearchPlan& plan, Faults faults,
                        ReadAnswer& read);

  // The body of a search, once those that it relates to have been asked; or the answer.
  std::expected<std::string, http::Response> with_related(const std::string& body,
                                                          std::span<const RelatedQuery> related,
                                                          const Visit& visit);
  // The member "freshness" with a comma before it; empty: it is not asked for.
  std::string freshness_member(bool asked);

  Door& door_;
  Engine& engine_;
  FreshnessSource& freshness_;
  const model::JsonText mappings_;
  const std::vector<Screener> screeners_;
  const std::vector<model::CommandSpec> commands_;
};

}  // namespace searchsync::query
