#include "query/run/semi_join.h"

#include <fmt/format.h>

#include "query/run/problems.h"

namespace searchsync::query {
namespace {

http::Response too_many(const RelatedQuery& one, int64_t keys_max, Engine& engine,
                        Engine::Clock::time_point deadline) {
  std::string number = fmt::format("more than {}", keys_max);
  const auto response =
      engine.search(one.index, related_count_body(one), deadline, Partial::kRefused);
  if (response) {
    const auto count = read_related_count(response->status, response->body);
    // It is an estimate; what is known for sure goes before it.
    if (count && *count > keys_max) number = fmt::format("about {}", *count);
  }
  return http::error_response(
      422, "too_many_related",
      fmt::format("{}: relation {}: {} different values of `{}` in {} fit; at most {} can be "
                  "related. Make its filter narrower, or ask {} itself",
                  one.path, one.name, number, one.to, one.index, keys_max, one.index));
}

}  // namespace

std::expected<std::vector<std::string>, http::Response> ask_related(
    std::span<const RelatedQuery> related, int64_t keys_max, Engine& engine,
    Engine::Clock::time_point deadline) {
  std::vector<std::string> queries;
  for (const RelatedQuery& one : related) {
    const auto response =
        engine.search(one.index, related_body(one, keys_max), deadline, Partial::kRefused);
    if (!response) return std::unexpected(problem_response(response.error()));
    const auto keys = read_related_keys(response->status, response->body, keys_max);
    if (!keys) return std::unexpected(problem_response(keys.error()));
    if (!keys->all) return std::unexpected(too_many(one, keys_max, engine, deadline));
    queries.push_back(related_terms(one, *keys));
  }
  return queries;
}

}  // namespace searchsync::query
