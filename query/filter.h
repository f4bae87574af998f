#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/node.h"
#include "query/faults.h"
#include "query/fields.h"
#include "query/related.h"
#include "query/rules.h"

namespace searchsync::query {

inline constexpr int kFilterDepthMax = 16;
inline constexpr int kFilterNodesMax = 256;
inline constexpr size_t kInValuesMax = 1024;
inline constexpr size_t kValueBytesMax = 8 * 1024;  // of one string

// Translates a filter into a query of the engines. A filter is an object with one operator:
//
//   {"and": [filter, …]}  {"or": [filter, …]}  {"not": filter}
//   {"equals": {"field", "value"}}    {"in": {"field", "values": […]}}
//   {"exists": {"field"}}             {"prefix": {"field", "value"}}
//   {"range": {"field", "gte"|"gt", "lte"|"lt"}}   times may be date math: "now-30d"
//   {"text": {"field", "query"}}      all words, in any order
//   {"nested": {"path", "filter"}}    one and the same element of a nested array fits the filter
//   {"related": {"relation", "filter"}}  a document of another index belongs to it: related.h
//
// A field inside a nested array that is used outside of `nested` fits if any element does.
//
// path: where the filter stands, "filter". Returns the query as JSON; without meaning when faults
// were added. Every fault below a known operator is found, not just the first.
std::string translate_filter(const model::Node& filter, std::string_view path,
                             const FieldCatalog& catalog, Faults& faults);
// The same with relations: of each `related` the query has a marker, and `related` a question.
std::string translate_filter(const model::Node& filter, std::string_view path, const Rules& rules,
                             std::vector<RelatedQuery>& related, Faults& faults);

}  // namespace searchsync::query
