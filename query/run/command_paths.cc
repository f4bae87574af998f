#include "query/run/command_paths.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "query/run/problems.h"

namespace searchsync::query {
namespace {

http::Response failure_response(const CommandPool::Failure& failure, std::string_view name) {
  using enum CommandPool::Failure::Kind;
  switch (failure.kind) {
    case kRefused: {
      const int status = status_of(failure.refusal->sqlstate);
      if (status >= 500) {
        log::warning("command {}: {} (SQLSTATE {})", name, failure.refusal->message,
                     failure.refusal->sqlstate);
      }
      return {.status = status, .body = render(*failure.refusal), .headers = {}};
    }
    case kTooManyRows:
      return http::error_response(
          413, "too_many_rows",
          fmt::format("it returned more than {} rows, and was rolled back", kCommandRowsMax));
    case kBusy:
      return later_response(503, "commands_busy", "no connection to the database was free in time",
                            1);
    case kAway:
      log::warning("command {}: {}", name, failure.message);
      return later_response(503, "commands_unavailable",
                            "the database cannot be used; nothing was done, and the log of the "
                            "query service has more",
                            1);
    case kUnknown:
      log::warning("command {}: {}", name, failure.message);
      return http::error_response(503, "outcome_unknown",
                                  "the connection to the database was lost: the command may have "
                                  "been carried out");
  }
  CHECK(false);
}

}  // namespace

CommandPaths::CommandPaths(const model::CommandsSpec& spec, CommandPool& pool, Door& door)
    : commands_(spec.functions), rate_limit_(spec.rate_limit), pool_(pool), door_(door) {}

void CommandPaths::add_routes(http::Routes& routes) {
  routes.route(http::Method::kPost, "/rpc/{function}",
               door_.open("rpc", [this](const Visit& visit) { return call(visit); }));
}

http::Response CommandPaths::call(const Visit& visit) {
  const std::string& name = visit.request.path_parameter("function");
  const auto command = std::ranges::find(commands_, name, &model::CommandSpec::name);
  if (command == commands_.end() || !visit.rules.may_call(name)) {
    return http::error_response(404, "unknown_function", "there is no such function here");
  }
  if (auto refusal = door_.hold_back("commands of " + visit.who, rate_limit_, visit.start)) {
    return std::move(*refusal);
  }
  Faults faults;
  const auto call = read_call(*command, visit.request.body, faults);
  if (!call) return faults_response(faults);
  const auto outcome = pool_.run(*call, visit.deadline);
  if (!outcome) return failure_response(outcome.error(), name);
  http::Response response{.body = {}, .headers = {}};
  switch (command->returns) {
    case model::CommandResult::kNothing:
      response.status = 204;
      break;
    case model::CommandResult::kOne:
      response.body = outcome->count == 0 ? "null" : outcome->rows;
      break;
    case model::CommandResult::kMany:
      response.body = "[" + outcome->rows + "]";
      break;
  }
  response.headers.emplace_back("SearchSync-Token", positions::to_string(outcome->token));
  return response;
}

}  // namespace searchsync::query
