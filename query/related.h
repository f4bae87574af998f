#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "query/engine_problem.h"
#include "query/rules.h"

namespace searchsync::query {

// Filters over the documents of other indices: {"related": {"relation", "filter"}} fits documents
// that a document of the other index belongs to, by the relation's fields. The engines cannot join,
// so it takes two questions: which values has the field `to` where the filter fits; then documents
// whose field `from` has one of them. The first is bounded: more values are an error, never a part
// of them.

inline constexpr size_t kRelatedMax = 4;  // of one request

// The first question.
struct RelatedQuery {
  std::string path;   // of the filter in the request
  std::string name;   // of the relation
  std::string index;  // that is asked
  std::string from;
  std::string to;
  std::string query;  // the engine's
};

// Stands in a query for the second question, which is not known yet. No JSON holds it otherwise.
std::string related_marker(size_t number);

// The _search of the first question, without "timeout": at most keys_max + 1 values.
std::string related_body(const RelatedQuery& related, int64_t keys_max);
// The _search for about how many values there are.
std::string related_count_body(const RelatedQuery& related);

struct RelatedKeys {
  std::string keys;  // JSON values, with commas between them
  int64_t count = 0;
  bool all = true;  // there are no others
};
std::expected<RelatedKeys, EngineProblem> read_related_keys(int status, std::string_view body,
                                                            int64_t keys_max);
std::expected<int64_t, EngineProblem> read_related_count(int status, std::string_view body);

// The second question: an engine's query.
std::string related_terms(const RelatedQuery& related, const RelatedKeys& keys);

// `text` with each marker replaced by the query of its number.
std::string fill_markers(std::string_view text, std::span<const std::string> queries);

// Looks whether the relation can be used: its fields are there, of one kind, and single values of
// documents. Else why not.
std::string relation_problem(const FieldCatalog& from_index, std::string_view from,
                             const FieldCatalog& to_index, std::string_view to);

}  // namespace searchsync::query
