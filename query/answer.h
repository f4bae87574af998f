#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "query/request.h"

namespace searchsync::query {

// What we answer when the engine does not answer as it should.
enum class EngineFault {
  kRefused,      // 400: the engine does not take the query; what only it can know is wrong with it
  kPartial,      // 502: shards failed, so that the answer would not be whole
  kUnreadable,   // 502: it is not an answer of a search engine
  kCredentials,  // 502: the engine does not let this service in
  kAway,         // 503: overloaded, or there is no index behind the alias yet
  kSlow,         // 504
};

struct EngineProblem {
  EngineFault fault = EngineFault::kUnreadable;
  std::string message;
};

// Part of an answer: JSON members without the braces around them.
struct Answer {
  std::string members;
  int64_t engine_took_ms = 0;
};

// Turns the engine's answer to a SearchPlan into ours: "total", "hits", "cursor" and "facets".
// Documents are copied as they are, byte for byte.
// status, body: of the engine's response, in any form.
std::expected<Answer, EngineProblem> search_answer(int status, std::string_view body,
                                                   const SearchPlan& plan);

// "count".
std::expected<Answer, EngineProblem> count_answer(int status, std::string_view body);

// "id" and "source", or no members if there is no such document.
std::expected<Answer, EngineProblem> document_answer(int status, std::string_view body);

}  // namespace searchsync::query
