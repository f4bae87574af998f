#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/faults.h"
#include "query/fields.h"

namespace searchsync::query {

inline constexpr size_t kBodyBytesMax = 256 * 1024;
inline constexpr size_t kSortMax = 8;
inline constexpr size_t kFacetsMax = 16;
inline constexpr int64_t kFacetSizeMax = 1000;
inline constexpr int64_t kFacetSizeDefault = 10;
inline constexpr int64_t kPageSizeDefault = 50;
inline constexpr size_t kSourceFieldsMax = 256;

// What is the same for all requests to one index. Constant after construction.
struct Rules {
  const FieldCatalog& catalog;
  std::vector<std::string> tiebreak;  // of tiebreak_fields
  int64_t page_size_max = 1000;
  std::chrono::milliseconds timeout{10'000};
};

struct Facet {
  std::string name;
  bool nested = false;  // counts documents, by way of the elements of a nested array
  bool boolean = false;
};

// A request, checked and translated.
struct SearchPlan {
  std::string body;         // for the engine's _search
  std::string fingerprint;  // filter and sort: what a cursor is bound to
  size_t size = 0;
  bool pages = true;  // whether a full page has a cursor for the next
  std::vector<Facet> facets;
};

// The body of POST /v1/{index}/search:
//   {"filter": {…}, "sort": [{"field", "order": "asc"|"desc"}], "size": 50, "cursor": "…",
//    "facets": {"name": {"field", "size": 10}}, "fields": ["a", "b.c"]}
// All members may be absent. Documents without a sort field come last, in either order.
//
// The total counts up to 10,000 exactly and says "gte" beyond, as the engines do by themselves: an
// exact count reads every match, which is what `count` is for.
//
// Returns the plan or every fault.
std::expected<SearchPlan, Faults> plan_search(std::string_view body, const Rules& rules);

// The body of POST /v1/{index}/count: {"filter": {…}}. Returns the engine's _search body.
std::expected<std::string, Faults> plan_count(std::string_view body, const Rules& rules);

}  // namespace searchsync::query
