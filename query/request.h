#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/ask.h"
#include "query/faults.h"
#include "query/related.h"
#include "query/rules.h"

namespace searchsync::query {

inline constexpr size_t kSortMax = 8;
inline constexpr size_t kFacetsMax = 16;
inline constexpr int64_t kFacetSizeMax = 1000;
inline constexpr int64_t kFacetSizeDefault = 10;
inline constexpr int64_t kPageSizeDefault = 50;
inline constexpr size_t kSourceFieldsMax = 256;

struct Facet {
  std::string name;
  bool nested = false;  // counts documents, by way of the elements of a nested array
  bool boolean = false;
};

// Whether an answer may lack what some shards, or the engine in its time, did not find.
enum class Partial { kRefused, kAllowed };

// A request, checked and translated.
struct SearchPlan {
  std::string body;         // for the engine's _search, without "timeout"
  std::string fingerprint;  // filter and sort: what a cursor is bound to
  size_t size = 0;
  bool pages = true;  // whether a full page has a cursor for the next
  std::vector<Facet> facets;
  Partial partial = Partial::kRefused;
  // To be asked before: `body` has a marker of each.
  std::vector<RelatedQuery> related;
};

// The body of POST /v1/{index}/search:
//   {"filter": {…}, "sort": [{"field", "order": "asc"|"desc"}], "size": 50, "cursor": "…",
//    "facets": {"name": {"field", "size": 10}}, "fields": ["a", "b.c"], "allowPartial": false}
// All members may be absent. Documents without a sort field come last, in either order.
//
// The total counts up to 10,000 exactly and says "gte" beyond, as the engines do by themselves: an
// exact count reads every match, which is what `count` is for.
//
// The plan is without meaning when faults were added, all that there are.
SearchPlan plan_search(const Ask& ask, const Rules& rules, Faults& faults);
std::expected<SearchPlan, Faults> plan_search(std::string_view body, const Rules& rules);

// The body of POST /v1/{index}/count: {"filter": {…}, "allowPartial": false}. The plan has
// no hits.
SearchPlan plan_count(const Ask& ask, const Rules& rules, Faults& faults);
std::expected<SearchPlan, Faults> plan_count(std::string_view body, const Rules& rules);

// The _search for one document by its id.
std::string document_query(std::string_view id, const Rules& rules);

}  // namespace searchsync::query
