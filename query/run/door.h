#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "lib/http/server.h"
#include "lib/metrics/registry.h"
#include "query/keys.h"
#include "query/partitions.h"
#include "query/rules.h"
#include "query/run/own_writes.h"
#include "query/run/rate_limits.h"

namespace searchsync::query {

// Who presents a key.
struct Caller {
  std::string name;                                // of the key; empty: everybody
  Digest digest{};                                 // of the key
  std::optional<Rules> rules;                      // none: the key is not for this index
  std::optional<model::RateLimitSpec> rate_limit;  // in place of the door's
};

// A request that was let in.
struct Visit {
  const http::Request& request;
  const Rules& rules;      // of the caller
  const std::string& who;  // whose allowances it takes from
  std::chrono::steady_clock::time_point start;
  std::chrono::steady_clock::time_point deadline;  // when it must be answered
  const std::string& target;  // what the engine is asked of: the alias, or a generation by its name
};

// What every path of the service has in common: who may come in and how often, until when they are
// answered, and that it is counted and timed. Thread-safe.
//
// Who sends the tokens of commands, as "SearchSync-Token: TOKEN, TOKEN", waits until what those
// wrote is in the index, for as long as "SearchSync-Token-Wait: MILLISECONDS" says. The answer says
// "SearchSync-Token-Reached: true", or "false" and, as SearchSync-Token-Missing, what was missing.
//
// Answers by itself: 400 invalid_request for what is no token; 503 too_many_wait; 401 unauthorized
// without a key that is known, where there are keys; 403 forbidden for an index that the key may
// not use; 404 unknown_index; 429 rate_limited with Retry-After.
class Door {
 public:
  using Room = std::function<http::Response(const Visit&)>;

  struct Options {
    std::string index;  // the alias
    std::string name;   // {index} in paths; empty: the alias
    Rules rules;        // of what is declared; and of everybody, without keys
    std::chrono::milliseconds timeout{10'000};
    std::optional<std::vector<Caller>> keys;         // none: everybody may ask everything
    std::optional<model::RateLimitSpec> rate_limit;  // of each key, or without keys each address
    OwnWrites* own_writes = nullptr;       // must outlive the door; null: no token is ever reached
    std::optional<Partitions> partitions;  // none: the index is one
  };

  // `registry` must outlive this.
  Door(Options options, metrics::Registry& registry);

  // endpoint: for metrics. What it returns must not outlive this.
  http::Handler open(std::string endpoint, Room room);

  const std::string& index() const { return options_.index; }
  const std::string& name() const { return options_.name.empty() ? index() : options_.name; }
  const Rules& rules() const { return options_.rules; }
  const std::optional<Partitions>& partitions() const { return options_.partitions; }
  bool keyed() const { return options_.keys.has_value(); }

  // The answer, if `who` asks too often.
  using Time = std::chrono::steady_clock::time_point;
  std::optional<http::Response> hold_back(const std::string& who,
                                          const std::optional<model::RateLimitSpec>& limit,
                                          Time now);

 private:
  http::Response enter(const http::Request& request, const Room& room, Time start);
  http::Response wait_and_enter(const Visit& visit, const Room& room);
  // Null: nobody that is known.
  const Caller* find_caller(const http::Request& request) const;

  const Options options_;
  const Caller everybody_;
  metrics::Registry& registry_;
  RateLimits limits_;
};

}  // namespace searchsync::query
