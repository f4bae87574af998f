#pragma once

#include <string>
#include <string_view>

namespace searchsync::query {

// What we answer when the engine does not answer as it should.
enum class EngineFault {
  kRefused,      // 400: the engine does not take the query; what only it can know is wrong with it
  kPartial,      // 502: shards failed, so that the answer would not be whole
  kUnreadable,   // 502: it is not an answer of a search engine
  kCredentials,  // 502: the engine does not let this service in
  kAway,         // 503: overloaded, or there is no index behind the alias yet
  kSlow,         // 504
  kTooLarge,     // 400: one answer would be larger than we take; a smaller page is not
};

struct EngineProblem {
  EngineFault fault = EngineFault::kUnreadable;
  std::string message;
};

// What it means that the engine answers so, if it is not as hoped.
EngineProblem judge_response(int status, std::string_view body);

}  // namespace searchsync::query
