#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "lib/base/function_ref.h"
#include "query/engine_problem.h"
#include "query/request.h"

namespace searchsync::query {

// Part of an answer: JSON members without the braces around them.
struct Answer {
  std::string members;
  int64_t engine_took_ms = 0;
  int64_t shards = 0;  // that were asked
};

// Turns the engine's answer to a SearchPlan into ours: "total", "hits", "cursor" and "facets".
// Documents are copied as they are, byte for byte. An answer that is not whole is a problem; or, if
// the plan allows it, has "partial": true and "partialReasons", a total that is only the least, and
// no cursor: after it documents would be missed.
// status, body: of the engine's response, in any form.
std::expected<Answer, EngineProblem> search_answer(int status, std::string_view body,
                                                   const SearchPlan& plan);

// "count", and what of a partial answer is said.
std::expected<Answer, EngineProblem> count_answer(int status, std::string_view body,
                                                  const SearchPlan& plan);

// One page of an export.
struct Page {
  size_t hits = 0;
  std::string last_sort;      // the sort values of the last document: a JSON array
  std::string point_in_time;  // where the next page is to be asked for
};

// Calls `take` for each document: its id, a JSON string, and its source, a JSON object or empty.
// It returns false if it cannot use them.
std::expected<Page, EngineProblem> read_page(
    int status, std::string_view body,
    FunctionRef<bool(std::string_view id, std::string_view source)> take);

// The id of a point in time. member: where it is in the answer.
std::expected<std::string, EngineProblem> point_in_time_of(int status, std::string_view body,
                                                           std::string_view member);

// "id" and "source", or no members if there is no such document.
std::expected<Answer, EngineProblem> document_answer(int status, std::string_view body);

}  // namespace searchsync::query
