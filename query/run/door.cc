#include "query/run/door.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "query/run/problems.h"

namespace searchsync::query {
namespace {

using Clock = std::chrono::steady_clock;

// The key that is presented, as "Authorization: Bearer KEY" or as "X-API-Key: KEY".
std::string_view presented_key(const http::Request& request) {
  if (const auto key = request.header("x-api-key")) return *key;
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view header = request.header("authorization").value_or("");
  const bool bearer =
      header.size() > kBearer.size() &&
      std::ranges::equal(header.substr(0, kBearer.size()), kBearer, [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == b;
      });
  return bearer ? header.substr(kBearer.size()) : std::string_view();
}

// How long a query with a token waits, unless it says so.
constexpr std::chrono::milliseconds kTokenWait{5'000};
constexpr std::chrono::milliseconds kTokenWaitMax{300'000};

std::chrono::milliseconds token_wait(const http::Request& request, Faults& faults) {
  const auto text = request.header("searchsync-token-wait");
  if (!text) return kTokenWait;
  int64_t millis = -1;
  const char* const end = text->data() + text->size();
  const auto read = std::from_chars(text->data(), end, millis);
  if (read.ec != std::errc() || read.ptr != end || millis < 0 || millis > kTokenWaitMax.count()) {
    faults.add("SearchSync-Token-Wait",
               fmt::format("milliseconds, from 0 to {}", kTokenWaitMax.count()));
  }
  return std::chrono::milliseconds(millis);
}

}  // namespace

Door::Door(Options options, metrics::Registry& registry)
    : options_(std::move(options)),
      everybody_{.name = "", .rules = options_.rules, .rate_limit = std::nullopt},
      registry_(registry) {}

http::Handler Door::open(std::string endpoint, Room room) {
  const auto seconds = registry_.histogram(
      "searchsync_query_duration_seconds", "Time that requests took, the search engine included",
      {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30},
      {{"endpoint", endpoint}});
  return [this, endpoint, seconds, room = std::move(room)](const http::Request& request) {
    const auto start = Clock::now();
    http::Response response = enter(request, room, start);
    seconds.observe(std::chrono::duration<double>(Clock::now() - start).count());
    registry_
        .counter("searchsync_query_requests_total", "Requests answered, by status",
                 {{"endpoint", endpoint}, {"status", std::to_string(response.status)}})
        .add();
    return response;
  };
}

const Caller* Door::find_caller(const http::Request& request) const {
  if (!options_.keys) return &everybody_;
  const Digest digest = digest_of(presented_key(request));
  const Caller* found = nullptr;
  // All of them, so that it takes as long for each.
  for (const Caller& caller : *options_.keys) {
    if (equal(caller.digest, digest)) found = &caller;
  }
  return found;
}

std::optional<http::Response> Door::hold_back(const std::string& who,
                                              const std::optional<model::RateLimitSpec>& limit,
                                              Time now) {
  if (!limit) return std::nullopt;
  const auto wait = limits_.take(who, *limit, now);
  if (!wait) return std::nullopt;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*wait).count();
  return later_response(
      429, "rate_limited",
      fmt::format("at most {} requests a second, {} at once", limit->per_second, limit->burst),
      std::max<int64_t>(seconds, 1));
}

http::Response Door::enter(const http::Request& request, const Room& room, Time start) {
  const Caller* caller = find_caller(request);
  if (caller == nullptr) {
    if (auto refusal = hold_back(client_of(request.remote_address), options_.rate_limit, start)) {
      return std::move(*refusal);
    }
    auto response = http::error_response(
        401, "unauthorized",
        "an API key is needed, as \"Authorization: Bearer KEY\" or \"X-API-Key: KEY\"");
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  const std::string who =
      caller->name.empty() ? client_of(request.remote_address) : "key " + caller->name;
  const auto& limit = caller->rate_limit ? caller->rate_limit : options_.rate_limit;
  if (auto refusal = hold_back(who, limit, start)) return std::move(*refusal);
  const auto index = request.path_parameters.find("index");
  if (index != request.path_parameters.end() && index->second != name()) {
    return http::error_response(404, "unknown_index",
                                fmt::format("this service answers for /v1/{} only", name()));
  }
  if (!caller->rules) {
    return http::error_response(403, "forbidden",
                                fmt::format("this key may not use the index {}", options_.index));
  }
  const Visit visit{.request = request,
                    .rules = *caller->rules,
                    .who = who,
                    .start = start,
                    .deadline = start + options_.timeout,
                    .target = options_.index};
  const bool waits =
      index != request.path_parameters.end() && request.header("searchsync-token").has_value();
  return waits ? wait_and_enter(visit, room) : room(visit);
}

http::Response Door::wait_and_enter(const Visit& visit, const Room& room) {
  Faults faults;
  const auto tokens = positions::parse_tokens(*visit.request.header("searchsync-token"));
  if (!tokens) faults.add("SearchSync-Token", tokens.error().message);
  const auto longest = token_wait(visit.request, faults);
  if (!faults.empty()) return faults_response(faults);
  OwnWrites::Waited waited{.missing = "capture: this service cannot wait"};
  if (options_.own_writes != nullptr) {
    const auto most = std::chrono::duration_cast<Clock::duration>(options_.timeout) * 4 / 5;
    waited =
        options_.own_writes->wait(*tokens, visit.start + std::min<Clock::duration>(longest, most));
  }
  if (waited.refused) {
    return later_response(503, "too_many_wait", "too many queries wait for tokens already", 1);
  }
  http::Response response =
      room({.request = visit.request,
            .rules = visit.rules,
            .who = visit.who,
            .start = visit.start,
            .deadline = visit.deadline,
            .target = waited.written ? options_.own_writes->index() : visit.target});
  response.headers.emplace_back("SearchSync-Token-Reached", waited.written ? "true" : "false");
  if (!waited.written) response.headers.emplace_back("SearchSync-Token-Missing", waited.missing);
  return response;
}

}  // namespace searchsync::query
